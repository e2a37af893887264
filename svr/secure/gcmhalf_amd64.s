#include "go_asm.h"
#include "textflag.h"

// AES-GCM by VAES, VPCLMULQDQ and AVX2, eight blocks at once: see detectWay. It is the
// wide way in registers of half the size, see gcmwide_amd64.s, with the products of
// the narrow one, see gcm_amd64.s: CPUs without AVX-512 have fewer multiplications to
// spend.
//
// Register use: AX key, CX rounds, BX first counter block, DI data, SI bytes left,
// DX what is hashed; R10 R11 powers of the tail and their sums, R12 its key stream;
// Y0-Y3 counter blocks, Y4 data, Y5 powers, Y6 the swap, X7 the hash so far, Y8
// round key, Y9 Y10 Y11 low, high and middle of the sum of products in each half,
// Y12-Y14 scratch, Y15 two counters, later the mask of the tag in X15.

#define POW gcmKeys_pow
#define MID gcmKeys_mid
#define ROUNDS gcmKeys_rounds

DATA swap<>+0(SB)/8, $0x08090a0b0c0d0e0f
DATA swap<>+8(SB)/8, $0x0001020304050607
GLOBL swap<>(SB), RODATA|NOPTR, $16

// The counters of two blocks beside each other, and how far the next two are.
DATA steps<>+0(SB)/8, $1
DATA steps<>+8(SB)/8, $0
DATA steps<>+16(SB)/8, $2
DATA steps<>+24(SB)/8, $0
GLOBL steps<>(SB), RODATA|NOPTR, $32
DATA two<>+0(SB)/8, $2
DATA two<>+8(SB)/8, $0
DATA two<>+16(SB)/8, $2
DATA two<>+24(SB)/8, $0
GLOBL two<>(SB), RODATA|NOPTR, $32

// The upper half of the polynomial, as in gcm_amd64.s.
DATA poly<>+0(SB)/8, $0
DATA poly<>+8(SB)/8, $0xc200000000000000
DATA poly<>+16(SB)/8, $0
DATA poly<>+24(SB)/8, $0xc200000000000000
GLOBL poly<>(SB), RODATA|NOPTR, $32

// 16-n bytes into it begin n bytes of ones, followed by zeros.
DATA mask<>+0(SB)/8, $0xffffffffffffffff
DATA mask<>+8(SB)/8, $0xffffffffffffffff
DATA mask<>+16(SB)/8, $0
DATA mask<>+24(SB)/8, $0
GLOBL mask<>(SB), RODATA|NOPTR, $32

// START loads the first counter block by words: those were just written one by one,
// and a load of all would wait until they are out of the CPU's store buffer.
#define START(B) \
	VMOVD (BX), B;             \
	VPINSRD $1, 4(BX), B, B;   \
	VPINSRD $2, 8(BX), B, B;   \
	VPINSRD $3, 12(BX), B, B

// SETUP loads the arguments. The hash begins with nothing.
#define SETUP \
	MOVQ k+0(FP), AX;              \
	MOVQ start+8(FP), BX;          \
	MOVQ data+16(FP), DI;          \
	MOVQ n+24(FP), SI;             \
	MOVQ ROUNDS(AX), CX;           \
	MOVQ CX, R9;                   \
	SHLQ $4, R9;                   \
	VBROADCASTI128 swap<>(SB), Y6; \
	START(X15);                    \
	VPERMQ $0x44, Y15, Y15;        \
	VPSHUFB Y6, Y15, Y15;          \
	VPADDD steps<>(SB), Y15, Y15;  \
	VPXOR X7, X7, X7

// KEY puts round key r, LASTKEY the last one into both halves of Y8.
#define KEY(r) VBROADCASTI128 (16*r)(AX), Y8
#define LASTKEY VBROADCASTI128 (AX)(R9*1), Y8

#define COUNTER(B) \
	VPSHUFB Y6, Y15, B;         \
	VPADDD two<>(SB), Y15, Y15; \
	VPXOR Y8, B, B
#define COUNTERS2 KEY(0); COUNTER(Y0); COUNTER(Y1)
#define COUNTERS4 COUNTERS2; COUNTER(Y2); COUNTER(Y3)

// TAGBLOCK begins the mask of the tag, when no more counters are needed.
#define TAGBLOCK START(X15); VPXOR X8, X15, X15

// ROUNDn runs round r over n registers: 3 and 5 with the mask of the tag.
#define ROUND2(r) \
	KEY(r);            \
	VAESENC Y8, Y0, Y0; \
	VAESENC Y8, Y1, Y1
#define ROUND3(r) \
	ROUND2(r); \
	VAESENC X8, X15, X15
#define ROUND4(r) \
	ROUND2(r);          \
	VAESENC Y8, Y2, Y2; \
	VAESENC Y8, Y3, Y3
#define ROUND5(r) \
	ROUND4(r); \
	VAESENC X8, X15, X15

// SAVEn puts the key stream of the tail on the stack and ends the mask of the tag.
#define SAVE2 \
	LASTKEY;                  \
	VAESENCLAST Y8, Y0, Y0;   \
	VAESENCLAST Y8, Y1, Y1;   \
	VAESENCLAST X8, X15, X15; \
	VMOVDQU Y0, 0(SP);        \
	VMOVDQU Y1, 32(SP)
#define SAVE4 \
	SAVE2;                  \
	VAESENCLAST Y8, Y2, Y2; \
	VAESENCLAST Y8, Y3, Y3; \
	VMOVDQU Y2, 64(SP);     \
	VMOVDQU Y3, 96(SP)

// ZERO forgets the sum of products.
#define ZERO \
	VPXOR X9, X9, X9;    \
	VPXOR X10, X10, X10; \
	VPXOR X11, X11, X11

// ENDS and MIDDLE add the products of Y4 and the powers at P, whose halves' sums are
// at M, to the sum.
#define ENDS(P) \
	VMOVDQU P, Y5;                \
	VPCLMULQDQ $0x00, Y5, Y4, Y12; \
	VPCLMULQDQ $0x11, Y5, Y4, Y13; \
	VPXOR Y12, Y9, Y9;             \
	VPXOR Y13, Y10, Y10
#define MIDDLE(M) \
	VMOVDQU M, X13;                  \
	VPERMQ $0x10, Y13, Y13;          \
	VPSHUFD $0x4e, Y4, Y14;          \
	VPXOR Y4, Y14, Y14;              \
	VPCLMULQDQ $0x00, Y13, Y14, Y12; \
	VPXOR Y12, Y11, Y11

// REDUCE makes the hash of the sum: 64 bits off the low end of it are multiplied by
// the polynomial and added 64 bits higher, twice, then the halves are added.
#define REDUCE \
	VPXOR Y9, Y11, Y11;                     \
	VPXOR Y10, Y11, Y11;                    \
	VPCLMULQDQ $0x10, poly<>(SB), Y9, Y12;  \
	VPSHUFD $0x4e, Y9, Y9;                  \
	VPXOR Y9, Y11, Y11;                     \
	VPXOR Y12, Y11, Y11;                    \
	VPCLMULQDQ $0x10, poly<>(SB), Y11, Y12; \
	VPSHUFD $0x4e, Y11, Y11;                \
	VPXOR Y11, Y10, Y10;                    \
	VPXOR Y12, Y10, Y10;                    \
	VEXTRACTI128 $1, Y10, X12;              \
	VPXOR X12, X10, X7

// LOAD takes blocks 2i and 2i+1 of the eight at DX; ENDSOF and MIDDLEOF go with them.
#define LOAD(i) \
	VMOVDQU (32*i)(DX), Y4; \
	VPSHUFB Y6, Y4, Y4
#define ENDSOF(i) ENDS((POW+16*9+32*i)(AX))
#define MIDDLEOF(i) MIDDLE((MID+8*1+16*i)(AX))

// STITCH runs rounds 1 to 9 and meanwhile takes the 128 bytes at DX into the hash.
// Those which the hash so far goes into come last: it may still be in the making.
#define STITCH(ROUND) \
	ZERO;                                              \
	ROUND(1); LOAD(1); ENDSOF(1);                      \
	ROUND(2); MIDDLEOF(1);                             \
	ROUND(3); LOAD(2); ENDSOF(2);                      \
	ROUND(4); MIDDLEOF(2);                             \
	ROUND(5); LOAD(3); ENDSOF(3);                      \
	ROUND(6); MIDDLEOF(3);                             \
	ROUND(7); LOAD(0); VPXOR Y7, Y4, Y4; ENDSOF(0);    \
	ROUND(8); MIDDLEOF(0);                             \
	ROUND(9); REDUCE

// PLAIN runs the same rounds without a hash, LONG those that only AES-256 has.
#define PLAIN(ROUND) \
	ROUND(1); ROUND(2); ROUND(3); ROUND(4); ROUND(5); \
	ROUND(6); ROUND(7); ROUND(8); ROUND(9)
#define LONG(ROUND) \
	ROUND(10); ROUND(11); ROUND(12); ROUND(13)

// CRYPT ends the encryption of counter blocks B and mixes them with the data.
#define CRYPT(off, B) \
	VPXOR off(DI), Y8, Y12; \
	VAESENCLAST Y12, B, B;  \
	VMOVDQU B, off(DI)
#define CRYPT4 \
	LASTKEY; \
	CRYPT(0, Y0); CRYPT(32, Y1); CRYPT(64, Y2); CRYPT(96, Y3)

// TAIL prepares the last SI < 128 bytes: R10 and R11 point to the power of the first
// block, such that the block of lengths gets H.
#define TAIL \
	LEAQ 15(SI), R10;                 \
	SHRQ $4, R10;                     \
	NEGQ R10;                         \
	LEAQ (MID+8*8)(AX)(R10*8), R11;   \
	SHLQ $4, R10;                     \
	LEAQ (POW+16*16)(AX)(R10*1), R10; \
	MOVQ SP, R12;                     \
	ZERO

// HASHTAIL adds the blocks in Y4 with their powers. One block has zeros beside it,
// and what lies behind its power does not count.
#define HASHTAIL \
	VPSHUFB Y6, Y4, Y4;  \
	VPXOR Y7, Y4, Y4;    \
	VPXOR X7, X7, X7;    \
	ENDS((R10));         \
	MIDDLE((R11))

// NEXT goes on by n bytes of the tail.
#define NEXT(n) \
	ADDQ $n, R10;     \
	ADDQ $(n/2), R11; \
	ADDQ $n, DI;      \
	ADDQ $n, R12;     \
	SUBQ $n, SI

// TAILMASK makes X5 ones over the SI bytes of the last block.
#define TAILMASK \
	LEAQ mask<>+16(SB), R13; \
	SUBQ SI, R13;            \
	VMOVDQU (R13), X5

// TAG makes the tag in X7, whose place is R12: the block of lengths (no additional
// data), the last reduction, the mask.
#define TAG \
	MOVQ n+24(FP), R13;          \
	MOVQ data+16(FP), R12;       \
	ADDQ R13, R12;               \
	SHLQ $3, R13;                \
	VMOVQ R13, X4;               \
	VPXOR X7, X4, X4;            \
	ENDS((POW+16*16)(AX));       \
	MIDDLE((MID+8*8)(AX));       \
	REDUCE;                      \
	VPSHUFB X6, X7, X7;          \
	VPXOR X15, X7, X7

// func gcmSealHalf(k *gcmKeys, start *[16]byte, data *byte, n int)
// Each 128 bytes of cipher text are hashed beside the encryption of the next.
TEXT ·gcmSealHalf(SB), NOSPLIT, $128-32
	SETUP
	CMPQ SI, $128
	JLT short
	COUNTERS4
	PLAIN(ROUND4)
	CMPQ CX, $10
	JEQ crypt
	LONG(ROUND4)
crypt:
	CRYPT4
	MOVQ DI, DX
	ADDQ $128, DI
	SUBQ $128, SI
	CMPQ SI, $128
	JLT rest
	COUNTERS4
	STITCH(ROUND4)
	CMPQ CX, $10
	JEQ crypt
	LONG(ROUND4)
	JMP crypt

rest:
	CMPQ SI, $64
	JLE little
	COUNTERS4
	TAGBLOCK
	STITCH(ROUND5)
	CMPQ CX, $10
	JEQ save4
	LONG(ROUND5)
	JMP save4
little:
	COUNTERS2
	TAGBLOCK
	STITCH(ROUND3)
	CMPQ CX, $10
	JEQ save2
	LONG(ROUND3)
	JMP save2

short:
	CMPQ SI, $64
	JLE shorter
	COUNTERS4
	TAGBLOCK
	PLAIN(ROUND5)
	CMPQ CX, $10
	JEQ save4
	LONG(ROUND5)
save4:
	SAVE4
	JMP tail
shorter:
	COUNTERS2
	TAGBLOCK
	PLAIN(ROUND3)
	CMPQ CX, $10
	JEQ save2
	LONG(ROUND3)
save2:
	SAVE2

tail:
	TAIL
pairs:
	CMPQ SI, $32
	JLT one
	VMOVDQU (DI), Y4
	VPXOR (R12), Y4, Y4
	VMOVDQU Y4, (DI)
	HASHTAIL
	NEXT(32)
	JMP pairs
one:
	CMPQ SI, $16
	JLT part
	VMOVDQU (DI), X4
	VPXOR (R12), X4, X4
	VMOVDQU X4, (DI)
	HASHTAIL
	NEXT(16)
part:
	TESTQ SI, SI
	JZ tag
	TAILMASK
	VMOVDQU (DI), X4     // reaches into the room of the tag, which is written last
	VPXOR (R12), X4, X4
	VMOVDQU X4, (DI)
	VPAND X5, X4, X4
	HASHTAIL
tag:
	TAG
	VMOVDQU X7, (R12)
	VZEROUPPER
	RET

// func gcmOpenHalf(k *gcmKeys, start *[16]byte, data *byte, n int) (diff uint64)
// Each 128 bytes of cipher text are hashed beside the making of their key stream.
TEXT ·gcmOpenHalf(SB), NOSPLIT, $128-40
	SETUP
more:
	CMPQ SI, $128
	JLT rest
	MOVQ DI, DX
	COUNTERS4
	STITCH(ROUND4)
	CMPQ CX, $10
	JEQ crypt
	LONG(ROUND4)
crypt:
	CRYPT4
	ADDQ $128, DI
	SUBQ $128, SI
	JMP more

rest:
	CMPQ SI, $64
	JLE little
	COUNTERS4
	TAGBLOCK
	PLAIN(ROUND5)
	CMPQ CX, $10
	JEQ save4
	LONG(ROUND5)
save4:
	SAVE4
	JMP tail
little:
	COUNTERS2
	TAGBLOCK
	PLAIN(ROUND3)
	CMPQ CX, $10
	JEQ save2
	LONG(ROUND3)
save2:
	SAVE2

tail:
	TAIL
pairs:
	CMPQ SI, $32
	JLT one
	VMOVDQU (DI), Y4
	VPXOR (R12), Y4, Y5
	VMOVDQU Y5, (DI)
	HASHTAIL
	NEXT(32)
	JMP pairs
one:
	CMPQ SI, $16
	JLT part
	VMOVDQU (DI), X4
	VPXOR (R12), X4, X5
	VMOVDQU X5, (DI)
	HASHTAIL
	NEXT(16)
part:
	TESTQ SI, SI
	JZ tag
	TAILMASK
	VMOVDQU (DI), X4     // reaches into the tag, which stays as it is
	VPAND (R12), X5, X0
	VPXOR X4, X0, X0
	VMOVDQU X0, (DI)
	VPAND X5, X4, X4
	HASHTAIL
tag:
	TAG
	VPXOR (R12), X7, X7
	VMOVQ X7, AX
	VPEXTRQ $1, X7, CX
	ORQ CX, AX
	MOVQ AX, diff+32(FP)
	VZEROUPPER
	RET
