#include "textflag.h"

// Two messages at once. SHA-256's instructions wait for each other: one message
// leaves the unit idle half of the time, and a second one beside it costs next to
// nothing. Lane A and lane B share no register but X0 (implicit operand of
// SHA256RNDS2) and X7 (scratch), which the CPU renames; groups of four rounds of
// the two alternate.
//
//	         state ABEF  state CDGH  message words  chain of CBC
//	lane A   X1          X2          X3-X6          X8
//	lane B   X9          X10         X11-X14        X15
//
// DI and SI are the data of A and B, R8 the round constants, R10 both states, CX
// the blocks of 64 bytes left. CBC: AX round keys, R9 the last one, R11 rounds, BX
// both chains.

DATA swap<>+0(SB)/8, $0x0405060700010203
DATA swap<>+8(SB)/8, $0x0c0d0e0f08090a0b
GLOBL swap<>(SB), RODATA|NOPTR, $16

// LOADSTATE turns eight words at off(R10) into ABEF and CDGH, STORESTATE is the
// reverse.
#define LOADSTATE(off, S, T) \
	VMOVDQU off(R10), X7;       \
	VMOVDQU off+16(R10), T;     \
	VPSHUFD $0xb1, X7, X7;      \
	VPSHUFD $0x1b, T, T;        \
	VPALIGNR $8, T, X7, S;      \
	VPBLENDW $0xf0, X7, T, T

#define STORESTATE(off, S, T) \
	VPSHUFD $0x1b, S, S;        \
	VPSHUFD $0xb1, T, T;        \
	VPBLENDW $0xf0, T, S, X7;   \
	VPALIGNR $8, S, T, T;       \
	VMOVDQU X7, off(R10);       \
	VMOVDQU T, off+16(R10)

// KEEP puts the states before a block on the stack, ADDKEPT adds them behind it.
#define KEEP \
	VMOVDQU X1, 0(SP);   \
	VMOVDQU X2, 16(SP);  \
	VMOVDQU X9, 32(SP);  \
	VMOVDQU X10, 48(SP)
#define ADDKEPT \
	VPADDD 0(SP), X1, X1;    \
	VPADDD 16(SP), X2, X2;   \
	VPADDD 32(SP), X9, X9;   \
	VPADDD 48(SP), X10, X10

// WORDS reads 16 bytes of the message.
#define WORDS(off, P, M) \
	VMOVDQU off(P), M; \
	VPSHUFB swap<>(SB), M, M

// ROUNDS does four rounds with the words in M and the constants at k.
#define ROUNDS(k, M, S, T) \
	VPADDD k(R8), M, X0;    \
	SHA256RNDS2 X0, S, T;   \
	VPSHUFD $0x0e, X0, X0;  \
	SHA256RNDS2 X0, T, S

// NEXT completes the words N, 16 rounds ahead, from the newest A and those
// before, B.
#define NEXT(A, B, N) \
	VPALIGNR $4, B, A, X7; \
	PADDD X7, N;           \
	SHA256MSG2 A, N

// MIDDLE is a group with the words M; B are those before and N those after.
#define MIDDLE(k, M, B, N, S, T) \
	ROUNDS(k, M, S, T); \
	NEXT(M, B, N);      \
	SHA256MSG1 M, B

// G0 to G15 are the groups of both lanes. off is the place of the block.
#define G0(off) \
	WORDS(off, DI, X3);  ROUNDS(0, X3, X1, X2); \
	WORDS(off, SI, X11); ROUNDS(0, X11, X9, X10)
#define G1(off) \
	WORDS(off+16, DI, X4);  ROUNDS(16, X4, X1, X2);   SHA256MSG1 X4, X3; \
	WORDS(off+16, SI, X12); ROUNDS(16, X12, X9, X10); SHA256MSG1 X12, X11
#define G2(off) \
	WORDS(off+32, DI, X5);  ROUNDS(32, X5, X1, X2);   SHA256MSG1 X5, X4; \
	WORDS(off+32, SI, X13); ROUNDS(32, X13, X9, X10); SHA256MSG1 X13, X12
#define G3(off) \
	WORDS(off+48, DI, X6);  MIDDLE(48, X6, X5, X3, X1, X2); \
	WORDS(off+48, SI, X14); MIDDLE(48, X14, X13, X11, X9, X10)
#define GA(k) \
	MIDDLE(k, X3, X6, X4, X1, X2); \
	MIDDLE(k, X11, X14, X12, X9, X10)
#define GB(k) \
	MIDDLE(k, X4, X3, X5, X1, X2); \
	MIDDLE(k, X12, X11, X13, X9, X10)
#define GC(k) \
	MIDDLE(k, X5, X4, X6, X1, X2); \
	MIDDLE(k, X13, X12, X14, X9, X10)
#define GD(k) \
	MIDDLE(k, X6, X5, X3, X1, X2); \
	MIDDLE(k, X14, X13, X11, X9, X10)
#define G13 \
	ROUNDS(208, X4, X1, X2);   NEXT(X4, X3, X5); \
	ROUNDS(208, X12, X9, X10); NEXT(X12, X11, X13)
#define G14 \
	ROUNDS(224, X5, X1, X2);   NEXT(X5, X4, X6); \
	ROUNDS(224, X13, X9, X10); NEXT(X13, X12, X14)
#define G15 \
	ROUNDS(240, X6, X1, X2); \
	ROUNDS(240, X14, X9, X10)

// func shaBlocks2(state *[2][8]uint32, k *[64]uint32, a, b *byte, blocks int)
TEXT ·shaBlocks2(SB), NOSPLIT, $64-40
	MOVQ state+0(FP), R10
	MOVQ k+8(FP), R8
	MOVQ a+16(FP), DI
	MOVQ b+24(FP), SI
	MOVQ blocks+32(FP), CX
	TESTQ CX, CX
	JZ done
	LOADSTATE(0, X1, X2)
	LOADSTATE(32, X9, X10)
next:
	KEEP
	G0(0)
	G1(0)
	G2(0)
	G3(0)
	GA(64)
	GB(80)
	GC(96)
	GD(112)
	GA(128)
	GB(144)
	GC(160)
	GD(176)
	GA(192)
	G13
	G14
	G15
	ADDKEPT
	ADDQ $64, DI
	ADDQ $64, SI
	DECQ CX
	JNZ next
	STORESTATE(0, X1, X2)
	STORESTATE(32, X9, X10)
done:
	RET

// AESIN mixes a block of plain text into each chain, AESOUT stores the results;
// between them AES3 does three rounds and AES4 the four more of AES-256.
#define AESIN(off) \
	VPXOR off(DI), X8, X8;   \
	VPXOR off(SI), X15, X15; \
	VPXOR 0(AX), X8, X8;     \
	VPXOR 0(AX), X15, X15
#define AESROUND(k) \
	VAESENC k(AX), X8, X8; \
	VAESENC k(AX), X15, X15
#define AES3(k) \
	AESROUND(k);    \
	AESROUND(k+16); \
	AESROUND(k+32)
#define AES4 \
	AES3(160); \
	AESROUND(208)
#define AESOUT(off) \
	VAESENCLAST (R9), X8, X8;   \
	VAESENCLAST (R9), X15, X15; \
	VMOVDQU X8, off(DI);        \
	VMOVDQU X15, off(SI)

// func cbcEncryptHash2(keys *byte, rounds int, chain *[2][16]byte, state *[2][8]uint32, k *[64]uint32, a, b *byte, blocks int)
// What is hashed lies 64 bytes before what is encrypted. Each of the four blocks
// of AES is spread over four groups of rounds.
TEXT ·cbcEncryptHash2(SB), NOSPLIT, $64-64
	MOVQ keys+0(FP), AX
	MOVQ rounds+8(FP), R11
	MOVQ chain+16(FP), BX
	MOVQ state+24(FP), R10
	MOVQ k+32(FP), R8
	MOVQ a+40(FP), DI
	MOVQ b+48(FP), SI
	MOVQ blocks+56(FP), CX
	TESTQ CX, CX
	JZ done
	MOVQ R11, R9
	SHLQ $4, R9
	ADDQ AX, R9
	VMOVDQU 0(BX), X8
	VMOVDQU 16(BX), X15
	LOADSTATE(0, X1, X2)
	LOADSTATE(32, X9, X10)
next:
	KEEP
	AESIN(0)
	AES3(16)
	G0(-64)
	AES3(64)
	G1(-64)
	AES3(112)
	G2(-64)
	CMPQ R11, $14
	JNE last0
	AES4
last0:
	AESOUT(0)
	G3(-64)
	AESIN(16)
	AES3(16)
	GA(64)
	AES3(64)
	GB(80)
	AES3(112)
	GC(96)
	CMPQ R11, $14
	JNE last1
	AES4
last1:
	AESOUT(16)
	GD(112)
	AESIN(32)
	AES3(16)
	GA(128)
	AES3(64)
	GB(144)
	AES3(112)
	GC(160)
	CMPQ R11, $14
	JNE last2
	AES4
last2:
	AESOUT(32)
	GD(176)
	AESIN(48)
	AES3(16)
	GA(192)
	AES3(64)
	G13
	AES3(112)
	G14
	CMPQ R11, $14
	JNE last3
	AES4
last3:
	AESOUT(48)
	G15
	ADDKEPT
	ADDQ $64, DI
	ADDQ $64, SI
	DECQ CX
	JNZ next
	VMOVDQU X8, 0(BX)
	VMOVDQU X15, 16(BX)
	STORESTATE(0, X1, X2)
	STORESTATE(32, X9, X10)
done:
	RET
