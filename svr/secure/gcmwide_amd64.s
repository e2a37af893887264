#include "go_asm.h"
#include "textflag.h"

// AES-GCM by VAES, VPCLMULQDQ and AVX-512, sixteen blocks at once: see detectWay.
// What is said in gcm_amd64.s holds here too, but for the registers: AX key, CX
// rounds, BX first counter block, DI data, SI bytes left, R10 powers of the tail;
// Z0-Z3 counter blocks, Z4-Z7 what is hashed, each block reversed, Z8 powers,
// Z9 Z10 Z11 low, high and middle of the sum of products in each quarter, Z12
// Z13 scratch, X14 the hash so far, Z15 four counters, later the mask of the tag
// in X15, Z16-Z29 the round keys, Z30 the last one, Z31 the swap.
//
// Products are made of four multiplications and not of three: there are enough of
// those, and Karatsuba's sums are one more shuffle and load each.

#define POW gcmKeys_pow
#define ROUNDS gcmKeys_rounds

DATA swap<>+0(SB)/8, $0x08090a0b0c0d0e0f
DATA swap<>+8(SB)/8, $0x0001020304050607
GLOBL swap<>(SB), RODATA|NOPTR, $16

// The counters of four blocks beside each other, and how far the next four are.
DATA steps<>+0(SB)/8, $1
DATA steps<>+8(SB)/8, $0
DATA steps<>+16(SB)/8, $2
DATA steps<>+24(SB)/8, $0
DATA steps<>+32(SB)/8, $3
DATA steps<>+40(SB)/8, $0
DATA steps<>+48(SB)/8, $4
DATA steps<>+56(SB)/8, $0
GLOBL steps<>(SB), RODATA|NOPTR, $64
DATA four<>+0(SB)/8, $4
DATA four<>+8(SB)/8, $0
DATA four<>+16(SB)/8, $4
DATA four<>+24(SB)/8, $0
DATA four<>+32(SB)/8, $4
DATA four<>+40(SB)/8, $0
DATA four<>+48(SB)/8, $4
DATA four<>+56(SB)/8, $0
GLOBL four<>(SB), RODATA|NOPTR, $64

// The upper half of the polynomial, as in gcm_amd64.s.
DATA poly<>+0(SB)/8, $0
DATA poly<>+8(SB)/8, $0xc200000000000000
DATA poly<>+16(SB)/8, $0
DATA poly<>+24(SB)/8, $0xc200000000000000
DATA poly<>+32(SB)/8, $0
DATA poly<>+40(SB)/8, $0xc200000000000000
DATA poly<>+48(SB)/8, $0
DATA poly<>+56(SB)/8, $0xc200000000000000
GLOBL poly<>(SB), RODATA|NOPTR, $64

// KEY puts round key r into each quarter of K.
#define KEY(r, K) VBROADCASTI32X4 (16*r)(AX), K

// START loads the first counter block by words: those were just written one by one,
// and a load of all would wait until they are out of the CPU's store buffer.
#define START(B) \
	VMOVD (BX), B;             \
	VPINSRD $1, 4(BX), B, B;   \
	VPINSRD $2, 8(BX), B, B;   \
	VPINSRD $3, 12(BX), B, B

// SETUP loads the arguments and keys. The hash begins with nothing.
#define SETUP \
	MOVQ k+0(FP), AX;                                \
	MOVQ start+8(FP), BX;                            \
	MOVQ data+16(FP), DI;                            \
	MOVQ n+24(FP), SI;                               \
	MOVQ ROUNDS(AX), CX;                             \
	MOVQ CX, R9;                                     \
	SHLQ $4, R9;                                     \
	VBROADCASTI32X4 swap<>(SB), Z31;                 \
	START(X15);                                      \
	VSHUFI64X2 $0, Z15, Z15, Z15;                    \
	VPSHUFB Z31, Z15, Z15;                           \
	VPADDD steps<>(SB), Z15, Z15;                    \
	KEY(0, Z16); KEY(1, Z17); KEY(2, Z18);           \
	KEY(3, Z19); KEY(4, Z20); KEY(5, Z21);           \
	KEY(6, Z22); KEY(7, Z23); KEY(8, Z24);           \
	KEY(9, Z25); KEY(10, Z26); KEY(11, Z27);         \
	KEY(12, Z28); KEY(13, Z29);                      \
	VBROADCASTI32X4 (AX)(R9*1), Z30;                 \
	VPXOR X14, X14, X14

#define COUNTER(B) \
	VPSHUFB Z31, Z15, B;         \
	VPADDD four<>(SB), Z15, Z15; \
	VPXORQ Z16, B, B
#define COUNTERS2 COUNTER(Z0); COUNTER(Z1)
#define COUNTERS4 COUNTERS2; COUNTER(Z2); COUNTER(Z3)

// TAGBLOCK begins the mask of the tag, when no more counters are needed.
#define TAGBLOCK START(X15); VPXORQ X16, X15, X15

// ROUNDn runs a round, whose key is K and in its low quarter X, over n registers:
// 3 and 5 with the mask of the tag.
#define ROUND2(K, X) \
	VAESENC K, Z0, Z0; \
	VAESENC K, Z1, Z1
#define ROUND3(K, X) \
	ROUND2(K, X); \
	VAESENC X, X15, X15
#define ROUND4(K, X) \
	ROUND2(K, X);      \
	VAESENC K, Z2, Z2; \
	VAESENC K, Z3, Z3
#define ROUND5(K, X) \
	ROUND4(K, X); \
	VAESENC X, X15, X15

// LAST2 and LAST4 end the key stream of the tail and the mask of the tag.
#define LAST2 \
	VAESENCLAST Z30, Z0, Z0; \
	VAESENCLAST Z30, Z1, Z1; \
	VAESENCLAST X30, X15, X15
#define LAST4 \
	LAST2;                   \
	VAESENCLAST Z30, Z2, Z2; \
	VAESENCLAST Z30, Z3, Z3

// FIRST and MUL add the products of C and Z8 to the sum, FIRST to nothing.
#define FIRSTENDS(C) \
	VPCLMULQDQ $0x00, Z8, C, Z9; \
	VPCLMULQDQ $0x11, Z8, C, Z10
#define FIRSTMIDDLE(C) \
	VPCLMULQDQ $0x01, Z8, C, Z11; \
	VPCLMULQDQ $0x10, Z8, C, Z12; \
	VPXORQ Z12, Z11, Z11
#define MULENDS(C) \
	VPCLMULQDQ $0x00, Z8, C, Z12; \
	VPCLMULQDQ $0x11, Z8, C, Z13; \
	VPXORQ Z12, Z9, Z9;           \
	VPXORQ Z13, Z10, Z10
#define MULMIDDLE(C) \
	VPCLMULQDQ $0x01, Z8, C, Z12; \
	VPCLMULQDQ $0x10, Z8, C, Z13; \
	VPTERNLOGQ $0x96, Z12, Z13, Z11

// REDUCE makes the hash of the sum: 64 bits off the low end of it are multiplied by
// the polynomial and added 64 bits higher, twice, then the quarters are added.
#define REDUCE \
	VPCLMULQDQ $0x10, poly<>(SB), Z9, Z12;  \
	VPSHUFD $0x4e, Z9, Z9;                  \
	VPTERNLOGQ $0x96, Z12, Z9, Z11;         \
	VPCLMULQDQ $0x10, poly<>(SB), Z11, Z12; \
	VPSHUFD $0x4e, Z11, Z11;                \
	VPTERNLOGQ $0x96, Z12, Z11, Z10;        \
	VEXTRACTI64X4 $1, Z10, Y12;             \
	VPXOR Y12, Y10, Y10;                    \
	VEXTRACTI128 $1, Y10, X12;              \
	VPXOR X12, X10, X14

// POWERS loads those of blocks 4i to 4i+3 of sixteen.
#define POWERS(i) VMOVDQU64 (POW+16+64*i)(AX), Z8

// STITCH runs rounds 1 to 9 and meanwhile takes the sixteen blocks into the hash.
// Those which the hash so far goes into come last: it may still be in the making.
#define STITCH(ROUND) \
	ROUND(Z17, X17); POWERS(1); FIRSTENDS(Z5);                   \
	ROUND(Z18, X18); FIRSTMIDDLE(Z5);                            \
	ROUND(Z19, X19); POWERS(2); MULENDS(Z6);                     \
	ROUND(Z20, X20); MULMIDDLE(Z6);                              \
	ROUND(Z21, X21); POWERS(3); MULENDS(Z7);                     \
	ROUND(Z22, X22); MULMIDDLE(Z7);                              \
	ROUND(Z23, X23); POWERS(0); VPXORQ Z14, Z4, Z4; MULENDS(Z4); \
	ROUND(Z24, X24); MULMIDDLE(Z4);                              \
	ROUND(Z25, X25); REDUCE

// PLAIN runs the same rounds without a hash, LONG those that only AES-256 has.
#define PLAIN(ROUND) \
	ROUND(Z17, X17); ROUND(Z18, X18); ROUND(Z19, X19); \
	ROUND(Z20, X20); ROUND(Z21, X21); ROUND(Z22, X22); \
	ROUND(Z23, X23); ROUND(Z24, X24); ROUND(Z25, X25)
#define LONG(ROUND) \
	ROUND(Z26, X26); ROUND(Z27, X27); ROUND(Z28, X28); ROUND(Z29, X29)

// CRYPT ends the encryption of counter blocks B and mixes them with the data,
// LOAD takes the data for the hash.
#define CRYPT(off, B) \
	VPXORQ off(DI), Z30, Z12; \
	VAESENCLAST Z12, B, B;    \
	VMOVDQU64 B, off(DI)
#define CRYPT4 CRYPT(0, Z0); CRYPT(64, Z1); CRYPT(128, Z2); CRYPT(192, Z3)
#define SEALED4 \
	VPSHUFB Z31, Z0, Z4; \
	VPSHUFB Z31, Z1, Z5; \
	VPSHUFB Z31, Z2, Z6; \
	VPSHUFB Z31, Z3, Z7
#define LOAD(off, C) \
	VMOVDQU64 off(DI), C; \
	VPSHUFB Z31, C, C
#define LOAD4 LOAD(0, Z4); LOAD(64, Z5); LOAD(128, Z6); LOAD(192, Z7)

// TAIL prepares the last SI < 256 bytes: R10 points to the power of the first block,
// such that the block of lengths gets H.
#define TAIL \
	LEAQ 15(SI), R11;                \
	SHRQ $4, R11;                    \
	SHLQ $4, R11;                    \
	LEAQ (POW+16*16)(AX), R10;       \
	SUBQ R11, R10;                   \
	VPXOR X9, X9, X9;                \
	VPXOR X10, X10, X10;             \
	VPXOR X11, X11, X11

// TAILMASK makes K1 ones over the bytes left of 64. Nothing else is read or written.
#define TAILMASK \
	MOVQ $-1, R13;        \
	BZHIQ SI, R13, R13;   \
	KMOVQ R13, K1;        \
	VMOVDQU8.Z (DI), K1, Z4

// TAILHASH adds the blocks in Z4: behind the last one they are zero, and what lies
// behind the powers does not count.
#define TAILHASH \
	VPSHUFB Z31, Z4, Z4;   \
	VPXORQ Z14, Z4, Z4;    \
	VPXOR X14, X14, X14;   \
	VMOVDQU64 (R10), Z8;   \
	MULENDS(Z4);           \
	MULMIDDLE(Z4);         \
	ADDQ $64, R10;         \
	ADDQ $64, DI;          \
	SUBQ $64, SI

#define TAILSEAL(B) \
	TAILMASK;                \
	VPXORQ B, Z4, Z4;        \
	VMOVDQU8 Z4, K1, (DI);   \
	VMOVDQU8.Z Z4, K1, Z4;   \
	TAILHASH
#define TAILOPEN(B) \
	TAILMASK;                \
	VPXORQ B, Z4, B;         \
	VMOVDQU8 B, K1, (DI);    \
	TAILHASH

// TAG makes the tag in X14, whose place is R12: the block of lengths (no additional
// data), the last reduction, the mask.
#define TAG \
	MOVQ n+24(FP), R13;          \
	MOVQ data+16(FP), R12;       \
	ADDQ R13, R12;               \
	SHLQ $3, R13;                \
	VMOVQ R13, X4;               \
	VPXOR X14, X4, X4;           \
	VMOVDQU (POW+16*16)(AX), X8; \
	MULENDS(Z4);                 \
	MULMIDDLE(Z4);               \
	REDUCE;                      \
	VPSHUFB X31, X14, X14;       \
	VPXOR X15, X14, X14

// func gcmSealWide(k *gcmKeys, start *[16]byte, data *byte, n int)
// Each 256 bytes of cipher text are hashed beside the encryption of the next.
TEXT ·gcmSealWide(SB), NOSPLIT, $0-32
	SETUP
	CMPQ SI, $256
	JLT short
	COUNTERS4
	PLAIN(ROUND4)
	CMPQ CX, $10
	JEQ crypt
	LONG(ROUND4)
crypt:
	CRYPT4
	SEALED4
	ADDQ $256, DI
	SUBQ $256, SI
	CMPQ SI, $256
	JLT rest
	COUNTERS4
	STITCH(ROUND4)
	CMPQ CX, $10
	JEQ crypt
	LONG(ROUND4)
	JMP crypt

rest:
	CMPQ SI, $128
	JLE little
	COUNTERS4
	TAGBLOCK
	STITCH(ROUND5)
	CMPQ CX, $10
	JEQ last4
	LONG(ROUND5)
	JMP last4
little:
	COUNTERS2
	TAGBLOCK
	STITCH(ROUND3)
	CMPQ CX, $10
	JEQ last2
	LONG(ROUND3)
	JMP last2

short:
	CMPQ SI, $128
	JLE shorter
	COUNTERS4
	TAGBLOCK
	PLAIN(ROUND5)
	CMPQ CX, $10
	JEQ last4
	LONG(ROUND5)
last4:
	LAST4
	JMP tail
shorter:
	COUNTERS2
	TAGBLOCK
	PLAIN(ROUND3)
	CMPQ CX, $10
	JEQ last2
	LONG(ROUND3)
last2:
	LAST2

tail:
	TAIL
	TESTQ SI, SI
	JZ tag
	TAILSEAL(Z0)
	JLE tag
	TAILSEAL(Z1)
	JLE tag
	TAILSEAL(Z2)
	JLE tag
	TAILSEAL(Z3)
tag:
	TAG
	VMOVDQU X14, (R12)
	VZEROUPPER
	RET

// func gcmOpenWide(k *gcmKeys, start *[16]byte, data *byte, n int) (diff uint64)
// Each 256 bytes of cipher text are hashed beside the making of their key stream.
TEXT ·gcmOpenWide(SB), NOSPLIT, $0-40
	SETUP
more:
	CMPQ SI, $256
	JLT rest
	LOAD4
	COUNTERS4
	STITCH(ROUND4)
	CMPQ CX, $10
	JEQ crypt
	LONG(ROUND4)
crypt:
	CRYPT4
	ADDQ $256, DI
	SUBQ $256, SI
	JMP more

rest:
	CMPQ SI, $128
	JLE little
	COUNTERS4
	TAGBLOCK
	PLAIN(ROUND5)
	CMPQ CX, $10
	JEQ last4
	LONG(ROUND5)
last4:
	LAST4
	JMP tail
little:
	COUNTERS2
	TAGBLOCK
	PLAIN(ROUND3)
	CMPQ CX, $10
	JEQ last2
	LONG(ROUND3)
last2:
	LAST2

tail:
	TAIL
	TESTQ SI, SI
	JZ tag
	TAILOPEN(Z0)
	JLE tag
	TAILOPEN(Z1)
	JLE tag
	TAILOPEN(Z2)
	JLE tag
	TAILOPEN(Z3)
tag:
	TAG
	VPXOR (R12), X14, X14
	VMOVQ X14, AX
	VPEXTRQ $1, X14, CX
	ORQ CX, AX
	MOVQ AX, diff+32(FP)
	VZEROUPPER
	RET
