#include "textflag.h"

// Register use of the SHA part: X0 message and constants (implicit operand of
// SHA256RNDS2), X1 state ABEF, X2 state CDGH, X3-X6 message words, X7 scratch,
// X8 byte order. AES part: X9 chain, X13 last round key, X14 first round key,
// AX round keys, CX rounds, X12 scratch. The two parts share nothing, so that the
// CPU runs the latency of the one in the shadow of the other.
//
// No AVX here: small boxes of the Atom line have SHA-NI without it. Operands in
// memory are loaded first, for SSE wants them aligned.

DATA order<>+0(SB)/8, $0x0405060700010203
DATA order<>+8(SB)/8, $0x0c0d0e0f08090a0b
GLOBL order<>(SB), RODATA|NOPTR, $16

// LOADSTATE turns eight words at R into ABEF and CDGH.
#define LOADSTATE(R) \
	MOVOU 0(R), X7;      \
	MOVOU 16(R), X2;     \
	PSHUFD $0xb1, X7, X7; \
	PSHUFD $0x1b, X2, X2; \
	MOVO X7, X1;         \
	PALIGNR $8, X2, X1;  \
	PBLENDW $0xf0, X7, X2

// STORESTATE is the reverse.
#define STORESTATE(R) \
	PSHUFD $0x1b, X1, X1; \
	PSHUFD $0xb1, X2, X2; \
	MOVO X1, X7;         \
	PBLENDW $0xf0, X2, X1; \
	PALIGNR $8, X7, X2;  \
	MOVOU X1, 0(R);      \
	MOVOU X2, 16(R)

// LOADWORDS reads 16 bytes of the message.
#define LOADWORDS(off, M) \
	MOVOU off(DX), M; \
	PSHUFB X8, M

// ROUNDS4 does four rounds with the words in M; R8 points to the constants.
#define FIRST2(k, M) \
	MOVOU k(R8), X0; \
	PADDD M, X0;     \
	SHA256RNDS2 X0, X1, X2
#define LAST2 \
	PSHUFD $0x0e, X0, X0; \
	SHA256RNDS2 X0, X2, X1

// NEXTWORDS completes the words N from the newest A and those before, B.
#define NEXTWORDS(A, B, N) \
	MOVO A, X7;        \
	PALIGNR $4, B, X7; \
	PADDD X7, N;       \
	SHA256MSG2 A, N

#define SHA0 \
	LOADWORDS(0, X3);  FIRST2(0, X3);  LAST2; \
	LOADWORDS(16, X4); FIRST2(16, X4); LAST2; SHA256MSG1 X4, X3; \
	LOADWORDS(32, X5); FIRST2(32, X5); LAST2; SHA256MSG1 X5, X4; \
	LOADWORDS(48, X6); FIRST2(48, X6); NEXTWORDS(X6, X5, X3); LAST2; SHA256MSG1 X6, X5

#define SHA4(k) \
	FIRST2(k, X3);    NEXTWORDS(X3, X6, X4); LAST2; SHA256MSG1 X3, X6; \
	FIRST2(k+16, X4); NEXTWORDS(X4, X3, X5); LAST2; SHA256MSG1 X4, X3; \
	FIRST2(k+32, X5); NEXTWORDS(X5, X4, X6); LAST2; SHA256MSG1 X5, X4; \
	FIRST2(k+48, X6); NEXTWORDS(X6, X5, X3); LAST2; SHA256MSG1 X6, X5

#define SHA12 \
	FIRST2(192, X3); NEXTWORDS(X3, X6, X4); LAST2; SHA256MSG1 X3, X6; \
	FIRST2(208, X4); NEXTWORDS(X4, X3, X5); LAST2; \
	FIRST2(224, X5); NEXTWORDS(X5, X4, X6); LAST2; \
	FIRST2(240, X6); LAST2

// AESIN mixes a block of plain text into the chain, AESOUT stores the result.
#define AESIN(off) \
	MOVOU off(DI), X12; \
	PXOR X12, X9;       \
	PXOR X14, X9
#define AES1(off) \
	MOVOU off(AX), X12; \
	AESENC X12, X9
#define AES9 \
	AES1(16); AES1(32);  AES1(48);  AES1(64); AES1(80); \
	AES1(96); AES1(112); AES1(128); AES1(144)
#define AES4 \
	AES1(160); AES1(176); AES1(192); AES1(208)
#define AESOUT(off) \
	AESENCLAST X13, X9; \
	MOVOU X9, off(DI)

// AESSETUP loads what the AES part needs: keys in AX, rounds in CX, chain in BX.
#define AESSETUP \
	MOVOU 0(AX), X14; \
	MOVQ CX, R9;      \
	SHLQ $4, R9;      \
	MOVOU (AX)(R9*1), X13; \
	MOVOU 0(BX), X9

// func cbcEncrypt(keys *byte, rounds int, chain *[16]byte, data *byte, blocks int)
TEXT ·cbcEncrypt(SB), NOSPLIT, $0-40
	MOVQ keys+0(FP), AX
	MOVQ rounds+8(FP), CX
	MOVQ chain+16(FP), BX
	MOVQ data+24(FP), DI
	MOVQ blocks+32(FP), SI
	AESSETUP
	TESTQ SI, SI
	JZ done
next:
	AESIN(0)
	AES9
	CMPQ CX, $14
	JNE last
	AES4
last:
	AESOUT(0)
	ADDQ $16, DI
	DECQ SI
	JNZ next
done:
	MOVOU X9, 0(BX)
	RET

// func cbcEncryptHash(keys *byte, rounds int, chain *[16]byte, state *[8]uint32, k *[64]uint32, data *byte, blocks int)
// DI: what is encrypted; DX: what is hashed, 64 bytes behind.
TEXT ·cbcEncryptHash(SB), NOSPLIT, $0-56
	MOVQ keys+0(FP), AX
	MOVQ rounds+8(FP), CX
	MOVQ chain+16(FP), BX
	MOVQ state+24(FP), R10
	MOVQ k+32(FP), R8
	MOVQ data+40(FP), DI
	MOVQ blocks+48(FP), SI
	LEAQ -64(DI), DX
	MOVOU order<>(SB), X8
	AESSETUP
	LOADSTATE(R10)
	TESTQ SI, SI
	JZ done
next:
	MOVO X1, X10
	MOVO X2, X11
	AESIN(0)
	AES9
	CMPQ CX, $14
	JNE l0
	AES4
l0:
	AESOUT(0)
	SHA0
	AESIN(16)
	AES9
	CMPQ CX, $14
	JNE l1
	AES4
l1:
	AESOUT(16)
	SHA4(64)
	AESIN(32)
	AES9
	CMPQ CX, $14
	JNE l2
	AES4
l2:
	AESOUT(32)
	SHA4(128)
	AESIN(48)
	AES9
	CMPQ CX, $14
	JNE l3
	AES4
l3:
	AESOUT(48)
	SHA12
	PADDD X10, X1
	PADDD X11, X2
	ADDQ $64, DI
	ADDQ $64, DX
	DECQ SI
	JNZ next
done:
	MOVOU X9, 0(BX)
	STORESTATE(R10)
	RET

// func shaBlocks(state *[8]uint32, k *[64]uint32, data *byte, blocks int)
TEXT ·shaBlocks(SB), NOSPLIT, $0-32
	MOVQ state+0(FP), R10
	MOVQ k+8(FP), R8
	MOVQ data+16(FP), DX
	MOVQ blocks+24(FP), SI
	MOVOU order<>(SB), X8
	LOADSTATE(R10)
	TESTQ SI, SI
	JZ done
next:
	MOVO X1, X10
	MOVO X2, X11
	SHA0
	SHA4(64)
	SHA4(128)
	SHA12
	PADDD X10, X1
	PADDD X11, X2
	ADDQ $64, DX
	DECQ SI
	JNZ next
done:
	STORESTATE(R10)
	RET

// DEC8 runs one round key over eight blocks.
#define DEC8(op, K) \
	op K, X0; op K, X1; op K, X2; op K, X3; \
	op K, X4; op K, X5; op K, X6; op K, X7

// FIRST and CHAIN mix a block with the first round key, and with the cipher text
// before it.
#define FIRST(off, M) \
	MOVOU off(DI), M; \
	PXOR X14, M
#define CHAIN(off, M) \
	MOVOU off(DI), X12; \
	PXOR X12, M

// func cbcDecrypt(keys *byte, rounds int, chain *[16]byte, data *byte, blocks int)
// keys are those of the equivalent inverse cipher, in the order of use.
TEXT ·cbcDecrypt(SB), NOSPLIT, $0-40
	MOVQ keys+0(FP), AX
	MOVQ rounds+8(FP), CX
	MOVQ chain+16(FP), BX
	MOVQ data+24(FP), DI
	MOVQ blocks+32(FP), SI
	MOVQ CX, R9
	SHLQ $4, R9
	ADDQ AX, R9         // last round key
	MOVOU 0(BX), X9     // cipher text before the block
	MOVOU 0(AX), X14
	MOVOU (R9), X13
eight:
	CMPQ SI, $8
	JLT one
	FIRST(0, X0)
	FIRST(16, X1)
	FIRST(32, X2)
	FIRST(48, X3)
	FIRST(64, X4)
	FIRST(80, X5)
	FIRST(96, X6)
	FIRST(112, X7)
	LEAQ 16(AX), DX
round8:
	MOVOU (DX), X10
	DEC8(AESDEC, X10)
	ADDQ $16, DX
	CMPQ DX, R9
	JNE round8
	DEC8(AESDECLAST, X13)
	PXOR X9, X0
	CHAIN(0, X1)
	CHAIN(16, X2)
	CHAIN(32, X3)
	CHAIN(48, X4)
	CHAIN(64, X5)
	CHAIN(80, X6)
	CHAIN(96, X7)
	MOVOU 112(DI), X9
	MOVOU X0, 0(DI)
	MOVOU X1, 16(DI)
	MOVOU X2, 32(DI)
	MOVOU X3, 48(DI)
	MOVOU X4, 64(DI)
	MOVOU X5, 80(DI)
	MOVOU X6, 96(DI)
	MOVOU X7, 112(DI)
	ADDQ $128, DI
	SUBQ $8, SI
	JMP eight
one:
	TESTQ SI, SI
	JZ done
	MOVOU 0(DI), X10
	MOVO X10, X0
	PXOR X14, X0
	LEAQ 16(AX), DX
round1:
	MOVOU (DX), X12
	AESDEC X12, X0
	ADDQ $16, DX
	CMPQ DX, R9
	JNE round1
	AESDECLAST X13, X0
	PXOR X9, X0
	MOVOU X0, 0(DI)
	MOVO X10, X9
	ADDQ $16, DI
	DECQ SI
	JMP one
done:
	RET

// func subWord(w uint32) uint32
// The S-box over four equal columns, which ShiftRows leaves alone.
TEXT ·subWord(SB), NOSPLIT, $0-12
	MOVL w+0(FP), AX
	MOVQ AX, X0
	PSHUFD $0, X0, X0
	PXOR X1, X1
	AESENCLAST X1, X0
	MOVQ X0, AX
	MOVL AX, ret+8(FP)
	RET

// func inverseKey(key *byte)
TEXT ·inverseKey(SB), NOSPLIT, $0-8
	MOVQ key+0(FP), AX
	MOVOU 0(AX), X0
	AESIMC X0, X0
	MOVOU X0, 0(AX)
	RET

// func cpuid(leaf, sub uint32) (a, b, c, d uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	MOVL DX, d+20(FP)
	RET

// func xgetbv() uint32
TEXT ·xgetbv(SB), NOSPLIT, $0-4
	MOVL $0, CX
	XGETBV
	MOVL AX, ret+0(FP)
	RET
