#include "go_asm.h"
#include "textflag.h"

// AES-GCM (NIST SP 800-38D) by AES-NI and PCLMULQDQ. Only SSE encodings: the
// small Atoms of the boxes have no AVX. Where the CPU has more, gcmhalf_amd64.s
// and gcmwide_amd64.s do the work.
//
// GHASH after "Intel Carry-Less Multiplication Instruction and its Usage for
// Computing the GCM Mode" (323640): blocks and powers of H are byte-reversed, so
// that a register holds the polynomial with its coefficients mirrored, and the
// product of two mirrored polynomials comes out one bit too low. Powers are
// therefore kept times x^-1, which makes up for it, and stay so under the same
// multiplication. Products of eight blocks with H^8 to H are added up unreduced
// and reduced once, in two steps of 64 bits.
//
// Nothing here branches or loads by a secret: only by the length.
//
// Register use: AX key, CX rounds, BX first counter block, DI data, SI bytes left,
// DX what is hashed; X0-X7 counter blocks, X8 round key, X9 X10 X11 low, high
// and middle of the sum of products (X9 the hash once it is reduced), X12-X14
// scratch, X15 the counter, byte-reversed, later the mask of the tag.

#define POW gcmKeys_pow
#define MID gcmKeys_mid
#define ROUNDS gcmKeys_rounds

DATA swap<>+0(SB)/8, $0x08090a0b0c0d0e0f
DATA swap<>+8(SB)/8, $0x0001020304050607
GLOBL swap<>(SB), RODATA|NOPTR, $16

DATA one<>+0(SB)/8, $1
DATA one<>+8(SB)/8, $0
GLOBL one<>(SB), RODATA|NOPTR, $16

// x^128 + x^7 + x^2 + x + 1, mirrored, without its first term and times x^-1.
DATA poly<>+0(SB)/8, $0x0000000000000001
DATA poly<>+8(SB)/8, $0xc200000000000000
GLOBL poly<>(SB), RODATA|NOPTR, $16

// 16-n bytes into it begin n bytes of ones, followed by zeros.
DATA mask<>+0(SB)/8, $0xffffffffffffffff
DATA mask<>+8(SB)/8, $0xffffffffffffffff
DATA mask<>+16(SB)/8, $0
DATA mask<>+24(SB)/8, $0
GLOBL mask<>(SB), RODATA|NOPTR, $32

// COUNTER makes the next counter block. Only the last word counts, modulo 2^32.
#define COUNTER(B) \
	PADDD one<>(SB), X15; \
	MOVO X15, B;          \
	PSHUFB swap<>(SB), B; \
	PXOR X8, B

#define COUNTERS4 \
	MOVOU (AX), X8; \
	COUNTER(X0); COUNTER(X1); COUNTER(X2); COUNTER(X3)
#define COUNTERS8 \
	COUNTERS4; \
	COUNTER(X4); COUNTER(X5); COUNTER(X6); COUNTER(X7)

// START loads the first counter block by words: those were just written one by one,
// and a load of all would wait until they are out of the CPU's store buffer.
#define START \
	MOVL (BX), X15;        \
	PINSRD $1, 4(BX), X15; \
	PINSRD $2, 8(BX), X15; \
	PINSRD $3, 12(BX), X15

// TAGBLOCK begins the mask of the tag beside the counter blocks, when no more of
// them are needed.
#define TAGBLOCK \
	START; \
	PXOR X8, X15

// ROUNDn runs round r over the blocks: 5 and 9 with the mask of the tag.
#define ROUND4(r) \
	MOVOU (16*r)(AX), X8; \
	AESENC X8, X0; AESENC X8, X1; AESENC X8, X2; AESENC X8, X3
#define ROUND5(r) \
	ROUND4(r); \
	AESENC X8, X15
#define ROUND8(r) \
	ROUND4(r); \
	AESENC X8, X4; AESENC X8, X5; AESENC X8, X6; AESENC X8, X7
#define ROUND9(r) \
	ROUND8(r); \
	AESENC X8, X15

// LASTKEY loads the last round key.
#define LASTKEY MOVOU (AX)(R9*1), X8

// CRYPT ends the encryption of counter block B and mixes it with the data.
#define CRYPT(off, B) \
	MOVOU off(DI), X12; \
	PXOR X8, X12;       \
	AESENCLAST X12, B;  \
	MOVOU B, off(DI)
#define CRYPT8 \
	CRYPT(0, X0); CRYPT(16, X1); CRYPT(32, X2); CRYPT(48, X3); \
	CRYPT(64, X4); CRYPT(80, X5); CRYPT(96, X6); CRYPT(112, X7)

// ZERO forgets the sum of products.
#define ZERO \
	PXOR X9, X9;   \
	PXOR X10, X10; \
	PXOR X11, X11

// MUL adds the product of X14 and the power at P, whose halves' sum is at M, to
// the sum of products (Karatsuba: three multiplications).
#define MUL(P, M) \
	MOVOU P, X12;                 \
	MOVO X12, X13;                \
	PCLMULQDQ $0x00, X14, X12;    \
	PCLMULQDQ $0x11, X14, X13;    \
	PXOR X12, X9;                 \
	PXOR X13, X10;                \
	PSHUFD $0x4e, X14, X12;       \
	PXOR X14, X12;                \
	MOVQ M, X13;                  \
	PCLMULQDQ $0x00, X13, X12;    \
	PXOR X12, X11

// FOLD takes 64 bits off the low end of the sum: they are multiplied by the
// polynomial and added 64 bits higher.
#define FOLD \
	MOVO X9, X12;                       \
	PCLMULQDQ $0x10, poly<>(SB), X12;   \
	PSHUFD $0x4e, X9, X9;               \
	PXOR X12, X9

// REDUCE makes one block of the sum of products, in X9.
#define REDUCE \
	PXOR X9, X11;   \
	PXOR X10, X11;  \
	MOVO X11, X12;  \
	PSLLO $8, X12;  \
	PSRLO $8, X11;  \
	PXOR X12, X9;   \
	PXOR X11, X10;  \
	FOLD;           \
	FOLD;           \
	PXOR X10, X9

// HASHn adds block 7-n of eight at DX, which goes with power n+1. The first one
// carries the hash of all before.
#define HASH(n) \
	MOVOU (16*(7-n))(DX), X14;  \
	PSHUFB swap<>(SB), X14;     \
	MUL((POW+16*(16-n))(AX), (MID+8*(8-n))(AX))
#define HASH7 \
	MOVOU (DX), X14;         \
	PSHUFB swap<>(SB), X14;  \
	PXOR X9, X14;            \
	ZERO;                    \
	MUL((POW+16*9)(AX), (MID+8*1)(AX))

// STITCH runs rounds 1 to 9 over the counter blocks and meanwhile hashes the 128
// bytes at DX: the two use different units of the CPU.
#define STITCH(ROUND) \
	ROUND(1); HASH7;   \
	ROUND(2); HASH(6); \
	ROUND(3); HASH(5); \
	ROUND(4); HASH(4); \
	ROUND(5); HASH(3); \
	ROUND(6); HASH(2); \
	ROUND(7); HASH(1); \
	ROUND(8); HASH(0); \
	ROUND(9); REDUCE

// PLAIN runs the same rounds without a hash, LONG those that only AES-256 has.
#define PLAIN(ROUND) \
	ROUND(1); ROUND(2); ROUND(3); ROUND(4); ROUND(5); \
	ROUND(6); ROUND(7); ROUND(8); ROUND(9)
#define LONG(ROUND) \
	ROUND(10); ROUND(11); ROUND(12); ROUND(13)

// SETUP loads the arguments. The hash begins with nothing.
#define SETUP \
	MOVQ k+0(FP), AX;       \
	MOVQ start+8(FP), BX;   \
	MOVQ data+16(FP), DI;   \
	MOVQ n+24(FP), SI;      \
	MOVQ ROUNDS(AX), CX;    \
	MOVQ CX, R9;            \
	SHLQ $4, R9;            \
	START;                  \
	PSHUFB swap<>(SB), X15; \
	ZERO

// SAVEn puts the key stream of the tail on the stack and ends the mask of the tag.
#define SAVE4 \
	LASTKEY;           \
	AESENCLAST X8, X0; \
	AESENCLAST X8, X1; \
	AESENCLAST X8, X2; \
	AESENCLAST X8, X3; \
	MOVOU X0, 0(SP);   \
	MOVOU X1, 16(SP);  \
	MOVOU X2, 32(SP);  \
	MOVOU X3, 48(SP);  \
	AESENCLAST X8, X15
#define SAVE8 \
	SAVE4;             \
	AESENCLAST X8, X4; \
	AESENCLAST X8, X5; \
	AESENCLAST X8, X6; \
	AESENCLAST X8, X7; \
	MOVOU X4, 64(SP);  \
	MOVOU X5, 80(SP);  \
	MOVOU X6, 96(SP);  \
	MOVOU X7, 112(SP)

// TAIL prepares the last SI < 128 bytes: R10 and R11 point to the power of the
// first block, such that the block of lengths gets H; R12 to the key stream; X7
// is the hash so far, for the first block.
#define TAIL \
	LEAQ 15(SI), R10;                  \
	SHRQ $4, R10;                      \
	NEGQ R10;                          \
	LEAQ (MID+8*8)(AX)(R10*8), R11;   \
	SHLQ $4, R10;                      \
	LEAQ (POW+16*16)(AX)(R10*1), R10;  \
	MOVQ SP, R12;                      \
	MOVO X9, X7;                       \
	ZERO

// HASHTAIL adds the block in X14 with its power.
#define HASHTAIL \
	PSHUFB swap<>(SB), X14; \
	PXOR X7, X14;           \
	PXOR X7, X7;            \
	MUL((R10), (R11));      \
	ADDQ $16, R10;          \
	ADDQ $8, R11

// TAILMASK makes X5 ones over the SI bytes of the last block.
#define TAILMASK \
	LEAQ mask<>+16(SB), R13; \
	SUBQ SI, R13;            \
	MOVOU (R13), X5

// TAG makes the tag in X9: the block of lengths (no additional data), the last
// reduction, the mask.
#define TAG \
	MOVQ n+24(FP), R13;    \
	SHLQ $3, R13;          \
	MOVQ R13, X14;         \
	PXOR X7, X14;          \
	MUL((R10), (R11));     \
	REDUCE;                \
	PSHUFB swap<>(SB), X9; \
	PXOR X15, X9

// func gcmSealNarrow(k *gcmKeys, start *[16]byte, data *byte, n int)
// Each 128 bytes of cipher text are hashed beside the encryption of the next.
TEXT ·gcmSealNarrow(SB), NOSPLIT, $128-32
	SETUP
	CMPQ SI, $128
	JLT few
	COUNTERS8
	PLAIN(ROUND8)
	CMPQ CX, $10
	JEQ first
	LONG(ROUND8)
first:
	LASTKEY
	CRYPT8
	MOVQ DI, DX
	ADDQ $128, DI
	SUBQ $128, SI
more:
	COUNTERS8
	CMPQ SI, $128
	JLT rest
	STITCH(ROUND8)
	CMPQ CX, $10
	JEQ last
	LONG(ROUND8)
last:
	LASTKEY
	CRYPT8
	MOVQ DI, DX
	ADDQ $128, DI
	SUBQ $128, SI
	JMP more

rest:
	TAGBLOCK
	STITCH(ROUND9)
	CMPQ CX, $10
	JEQ save8
	LONG(ROUND9)
	JMP save8

few:
	CMPQ SI, $64
	JLE fewer
	COUNTERS8
	TAGBLOCK
	PLAIN(ROUND9)
	CMPQ CX, $10
	JEQ save8
	LONG(ROUND9)
save8:
	SAVE8
	JMP tail
fewer:
	COUNTERS4
	TAGBLOCK
	PLAIN(ROUND5)
	CMPQ CX, $10
	JEQ save4
	LONG(ROUND5)
save4:
	SAVE4

tail:
	TAIL
whole:
	CMPQ SI, $16
	JLT part
	MOVOU (DI), X14
	MOVOU (R12), X6
	PXOR X6, X14
	MOVOU X14, (DI)
	HASHTAIL
	ADDQ $16, DI
	ADDQ $16, R12
	SUBQ $16, SI
	JMP whole
part:
	TESTQ SI, SI
	JZ tag
	TAILMASK
	MOVOU (DI), X14     // reaches into the room of the tag, which is written last
	MOVOU (R12), X6
	PXOR X6, X14
	MOVOU X14, (DI)
	PAND X5, X14
	HASHTAIL
	ADDQ SI, DI
tag:
	TAG
	MOVOU X9, (DI)
	RET

// func gcmOpenNarrow(k *gcmKeys, start *[16]byte, data *byte, n int) (diff uint64)
// Each 128 bytes of cipher text are hashed beside the making of their key stream.
TEXT ·gcmOpenNarrow(SB), NOSPLIT, $128-40
	SETUP
more:
	CMPQ SI, $128
	JLT rest
	MOVQ DI, DX
	COUNTERS8
	STITCH(ROUND8)
	CMPQ CX, $10
	JEQ last
	LONG(ROUND8)
last:
	LASTKEY
	CRYPT8
	ADDQ $128, DI
	SUBQ $128, SI
	JMP more

rest:
	CMPQ SI, $64
	JLE fewer
	COUNTERS8
	TAGBLOCK
	PLAIN(ROUND9)
	CMPQ CX, $10
	JEQ save8
	LONG(ROUND9)
save8:
	SAVE8
	JMP tail
fewer:
	COUNTERS4
	TAGBLOCK
	PLAIN(ROUND5)
	CMPQ CX, $10
	JEQ save4
	LONG(ROUND5)
save4:
	SAVE4

tail:
	MOVOU (DI)(SI*1), X4 // the tag
	TAIL
whole:
	CMPQ SI, $16
	JLT part
	MOVOU (DI), X14
	MOVOU (R12), X6
	PXOR X14, X6
	MOVOU X6, (DI)
	HASHTAIL
	ADDQ $16, DI
	ADDQ $16, R12
	SUBQ $16, SI
	JMP whole
part:
	TESTQ SI, SI
	JZ tag
	TAILMASK
	MOVOU (DI), X14     // reaches into the tag, which stays as it is
	MOVOU (R12), X6
	PAND X5, X6
	PXOR X14, X6
	MOVOU X6, (DI)
	PAND X5, X14
	HASHTAIL
tag:
	TAG
	PXOR X4, X9
	MOVQ X9, AX
	PSRLO $8, X9
	MOVQ X9, CX
	ORQ CX, AX
	MOVQ AX, diff+32(FP)
	RET

// func gcmPowers(k *gcmKeys)
// H is the encryption of zeros; its powers, times x^-1, the highest first, and the
// sums of their halves follow the round keys.
TEXT ·gcmPowers(SB), NOSPLIT, $0-8
	MOVQ k+0(FP), AX
	MOVQ ROUNDS(AX), CX
	MOVOU (AX), X9
	LEAQ 16(AX), DX
round:
	MOVOU (DX), X8
	ADDQ $16, DX
	DECQ CX
	JZ last
	AESENC X8, X9
	JMP round
last:
	AESENCLAST X8, X9
	PSHUFB swap<>(SB), X9
	// Times x^-1: one bit up; what falls out at the top comes back by the polynomial.
	MOVO X9, X12
	PSRLQ $63, X12
	PSLLQ $1, X9
	MOVO X12, X13
	PSLLO $8, X13
	POR X13, X9
	PSHUFD $0xee, X12, X12
	PXOR X13, X13
	PSUBQ X12, X13
	PAND poly<>(SB), X13
	PXOR X13, X9
	LEAQ (POW+16*16)(AX), R10
	LEAQ (MID+8*8)(AX), R11
	MOVQ $const_gcmHashed, CX
power:
	MOVOU X9, (R10)
	CMPQ CX, $(const_gcmHashed-const_gcmSums)
	JLE next
	PSHUFD $0x4e, X9, X12
	PXOR X9, X12
	MOVQ X12, (R11)
	SUBQ $8, R11
next:
	DECQ CX
	JZ done
	SUBQ $16, R10
	MOVO X9, X14
	ZERO
	MUL((POW+16*16)(AX), (MID+8*8)(AX))
	REDUCE
	JMP power
done:
	RET
