//go:build linux

#include "go_asm.h"
#include "textflag.h"

// AES-GCM (NIST SP 800-38D) by the Armv8 instructions for AES and PMULL. The
// arithmetic is that of gcm_amd64.s, which explains it: mirrored polynomials,
// powers of H times x^-1, eight products and one reduction.
//
// A block is reversed in its two halves only, which costs one instruction: lane 0
// holds the upper half of the polynomial, and the powers are kept the same way.
// Sums of products have their halves in the usual order.
//
// AESE adds the key before it substitutes: round r takes key r, the last key is
// only added. AESE and AESMC stand side by side, where CPUs make one of them.
//
// Nothing here branches or loads by a secret: only by the length.
//
// Register use: R0 key, R1 first counter block, R2 data, R3 bytes left, R4 rounds,
// R5 what is hashed, R6 last two round keys; V0-V7 counter blocks, V8 round key,
// V9 V10 V11 low, high and middle of the sum of products (V9 the hash once it is
// reduced), V12-V14 scratch, V15 the counter with each word reversed, V16 the mask
// of the tag, V17 one in the last word, V18 the polynomial, V19 zeros.

#define POW gcmKeys_pow
#define MID gcmKeys_mid
#define ROUNDS gcmKeys_rounds

// 16-n bytes into it begin n bytes of ones, followed by zeros.
DATA mask<>+0(SB)/8, $0xffffffffffffffff
DATA mask<>+8(SB)/8, $0xffffffffffffffff
DATA mask<>+16(SB)/8, $0
DATA mask<>+24(SB)/8, $0
GLOBL mask<>(SB), RODATA|NOPTR, $32

// COUNTER makes the next counter block. Only the last word counts, modulo 2^32.
#define COUNTER(B) \
	VADD V17.S4, V15.S4, V15.S4; \
	VREV32 V15.B16, B.B16

#define COUNTERS4 COUNTER(V0); COUNTER(V1); COUNTER(V2); COUNTER(V3)
#define COUNTERS8 COUNTERS4; COUNTER(V4); COUNTER(V5); COUNTER(V6); COUNTER(V7)

// TAGBLOCK begins the mask of the tag beside the counter blocks.
#define TAGBLOCK FMOVQ (R1), F16

#define ENC(B) \
	AESE V8.B16, B.B16; \
	AESMC B.B16, B.B16

// ROUNDn runs round r over the blocks: 5 and 9 with the mask of the tag.
#define ROUND4(r) \
	FMOVQ (16*r)(R0), F8; \
	ENC(V0); ENC(V1); ENC(V2); ENC(V3)
#define ROUND5(r) ROUND4(r); ENC(V16)
#define ROUND8(r) ROUND4(r); ENC(V4); ENC(V5); ENC(V6); ENC(V7)
#define ROUND9(r) ROUND8(r); ENC(V16)

// LASTn ends them, except that V8 is still to be added.
#define LAST4 \
	FMOVQ (R6), F8;       \
	AESE V8.B16, V0.B16;  \
	AESE V8.B16, V1.B16;  \
	AESE V8.B16, V2.B16;  \
	AESE V8.B16, V3.B16
#define LAST5 \
	LAST4;                \
	AESE V8.B16, V16.B16; \
	FMOVQ 16(R6), F8
#define LAST8 \
	LAST4;                \
	AESE V8.B16, V4.B16;  \
	AESE V8.B16, V5.B16;  \
	AESE V8.B16, V6.B16;  \
	AESE V8.B16, V7.B16
#define LAST9 \
	LAST8;                \
	AESE V8.B16, V16.B16; \
	FMOVQ 16(R6), F8

// CRYPT adds the last key and counter block B to the data.
#define CRYPT(off, B, F) \
	FMOVQ off(R2), F12;            \
	VEOR V8.B16, V12.B16, V12.B16; \
	VEOR V12.B16, B.B16, B.B16;    \
	FMOVQ F, off(R2)
#define CRYPT8 \
	LAST8;                                                                          \
	FMOVQ 16(R6), F8;                                                               \
	CRYPT(0, V0, F0); CRYPT(16, V1, F1); CRYPT(32, V2, F2); CRYPT(48, V3, F3);      \
	CRYPT(64, V4, F4); CRYPT(80, V5, F5); CRYPT(96, V6, F6); CRYPT(112, V7, F7)

// ZERO forgets the sum of products.
#define ZERO \
	VEOR V9.B16, V9.B16, V9.B16;    \
	VEOR V10.B16, V10.B16, V10.B16; \
	VEOR V11.B16, V11.B16, V11.B16

// MUL adds the product of V14 and the power at P, whose halves' sum is at M, to
// the sum of products (Karatsuba: three multiplications).
#define MUL(P, M) \
	FMOVQ P, F12;                          \
	VPMULL V14.D1, V12.D1, V13.Q1;         \
	VPMULL2 V14.D2, V12.D2, V12.Q1;        \
	VEOR V13.B16, V10.B16, V10.B16;        \
	VEOR V12.B16, V9.B16, V9.B16;          \
	VEXT $8, V14.B16, V14.B16, V13.B16;    \
	VEOR V14.B16, V13.B16, V13.B16;        \
	FMOVD M, F12;                          \
	VPMULL V13.D1, V12.D1, V12.Q1;         \
	VEOR V12.B16, V11.B16, V11.B16

// FOLD takes 64 bits off the low end of the sum: they are multiplied by the
// polynomial and added 64 bits higher.
#define FOLD \
	VPMULL V18.D1, V9.D1, V12.Q1;     \
	VEXT $8, V9.B16, V9.B16, V9.B16;  \
	VEOR V12.B16, V9.B16, V9.B16

// REDUCE makes one block of the sum of products, in V9.
#define REDUCE \
	VEOR V9.B16, V11.B16, V11.B16;       \
	VEOR V10.B16, V11.B16, V11.B16;      \
	VEXT $8, V11.B16, V19.B16, V12.B16;  \
	VEXT $8, V19.B16, V11.B16, V13.B16;  \
	VEOR V12.B16, V9.B16, V9.B16;        \
	VEOR V13.B16, V10.B16, V10.B16;      \
	FOLD;                                \
	FOLD;                                \
	VEOR V10.B16, V9.B16, V9.B16;        \
	VEXT $8, V9.B16, V9.B16, V9.B16

// HASHn adds block 7-n of eight at R5, which goes with power n+1. The first one
// carries the hash of all before.
#define HASH(n) \
	FMOVQ (16*(7-n))(R5), F14;  \
	VREV64 V14.B16, V14.B16;    \
	MUL((POW+16*n)(R0), (MID+8*n)(R0))
#define HASH7 \
	FMOVQ (R5), F14;               \
	VREV64 V14.B16, V14.B16;       \
	VEOR V9.B16, V14.B16, V14.B16; \
	ZERO;                          \
	MUL((POW+16*7)(R0), (MID+8*7)(R0))

// STITCH runs rounds 0 to 8 over the counter blocks and meanwhile hashes the 128
// bytes at R5.
#define STITCH(ROUND) \
	ROUND(0); HASH7;   \
	ROUND(1); HASH(6); \
	ROUND(2); HASH(5); \
	ROUND(3); HASH(4); \
	ROUND(4); HASH(3); \
	ROUND(5); HASH(2); \
	ROUND(6); HASH(1); \
	ROUND(7); HASH(0); \
	ROUND(8); REDUCE

// PLAIN runs the same rounds without a hash, LONG those that only AES-256 has.
#define PLAIN(ROUND) \
	ROUND(0); ROUND(1); ROUND(2); ROUND(3); ROUND(4); \
	ROUND(5); ROUND(6); ROUND(7); ROUND(8)
#define LONG(ROUND) \
	ROUND(9); ROUND(10); ROUND(11); ROUND(12)

// CONSTANTS loads the polynomial, mirrored, without its first term and times
// x^-1, of which the lower half is 1 and needs no multiplication; and zeros.
#define CONSTANTS \
	MOVD $0xc200000000000000, R7;   \
	VEOR V18.B16, V18.B16, V18.B16; \
	VMOV R7, V18.D[0];              \
	VEOR V19.B16, V19.B16, V19.B16

// SETUP loads the arguments. The hash begins with nothing.
#define SETUP \
	MOVD k+0(FP), R0;               \
	MOVD start+8(FP), R1;           \
	MOVD data+16(FP), R2;           \
	MOVD n+24(FP), R3;              \
	MOVD ROUNDS(R0), R4;            \
	ADD R4<<4, R0, R6;              \
	SUB $16, R6;                    \
	CONSTANTS;                      \
	MOVD $1, R7;                    \
	VEOR V17.B16, V17.B16, V17.B16; \
	VMOV R7, V17.S[3];              \
	FMOVQ (R1), F15;                \
	VREV32 V15.B16, V15.B16;        \
	ZERO

// KEEP puts a block of the key stream on the stack.
#define KEEP(off, B, F) \
	VEOR V8.B16, B.B16, B.B16; \
	FMOVQ F, off(R12)
#define SAVE4 \
	MOVD $stream-128(SP), R12;       \
	KEEP(0, V0, F0);                 \
	KEEP(16, V1, F1);                \
	KEEP(32, V2, F2);                \
	KEEP(48, V3, F3);                \
	VEOR V8.B16, V16.B16, V16.B16
#define SAVE8 \
	SAVE4;            \
	KEEP(64, V4, F4); \
	KEEP(80, V5, F5); \
	KEEP(96, V6, F6); \
	KEEP(112, V7, F7)

// TAIL prepares the last R3 < 128 bytes: R10 and R11 point to the power of the
// first block, such that the block of lengths gets H; V7 is the hash so far, for
// the first block.
#define TAIL \
	ADD $15, R3, R10;           \
	LSR $4, R10, R10;           \
	ADD R10<<3, R0, R11;        \
	ADD $MID, R11;              \
	ADD R10<<4, R0, R10;        \
	ADD $POW, R10;              \
	VORR V9.B16, V9.B16, V7.B16; \
	ZERO

// HASHTAIL adds the block in V14 with its power.
#define HASHTAIL \
	VREV64 V14.B16, V14.B16;       \
	VEOR V7.B16, V14.B16, V14.B16; \
	VEOR V7.B16, V7.B16, V7.B16;   \
	MUL((R10), (R11));             \
	SUB $16, R10;                  \
	SUB $8, R11

// TAILMASK makes V5 ones over the R3 bytes of the last block.
#define TAILMASK \
	MOVD $mask<>+16(SB), R13; \
	SUB R3, R13;              \
	FMOVQ (R13), F5

// TAG makes the tag in V9: the block of lengths (no additional data), the last
// reduction, the mask.
#define TAG \
	MOVD n+24(FP), R13;             \
	LSL $3, R13;                    \
	VEOR V14.B16, V14.B16, V14.B16; \
	VMOV R13, V14.D[1];             \
	VEOR V7.B16, V14.B16, V14.B16;  \
	MUL((R10), (R11));              \
	REDUCE;                         \
	VREV64 V9.B16, V9.B16;          \
	VEOR V16.B16, V9.B16, V9.B16

// func gcmSeal(k *gcmKeys, start *[16]byte, data *byte, n int)
// Each 128 bytes of cipher text are hashed beside the encryption of the next.
TEXT ·gcmSeal(SB), NOSPLIT, $128-32
	SETUP
	CMP $128, R3
	BLT few
	COUNTERS8
	PLAIN(ROUND8)
	CMP $10, R4
	BEQ first
	LONG(ROUND8)
first:
	CRYPT8
	MOVD R2, R5
	ADD $128, R2
	SUB $128, R3
more:
	COUNTERS8
	CMP $128, R3
	BLT rest
	STITCH(ROUND8)
	CMP $10, R4
	BEQ last
	LONG(ROUND8)
last:
	CRYPT8
	MOVD R2, R5
	ADD $128, R2
	SUB $128, R3
	B more

rest:
	TAGBLOCK
	STITCH(ROUND9)
	CMP $10, R4
	BEQ save8
	LONG(ROUND9)
	B save8

few:
	CMP $64, R3
	BLE fewer
	COUNTERS8
	TAGBLOCK
	PLAIN(ROUND9)
	CMP $10, R4
	BEQ save8
	LONG(ROUND9)
save8:
	LAST9
	SAVE8
	B tail
fewer:
	COUNTERS4
	TAGBLOCK
	PLAIN(ROUND5)
	CMP $10, R4
	BEQ save4
	LONG(ROUND5)
save4:
	LAST5
	SAVE4

tail:
	TAIL
whole:
	CMP $16, R3
	BLT part
	FMOVQ (R2), F14
	FMOVQ (R12), F6
	VEOR V6.B16, V14.B16, V14.B16
	FMOVQ F14, (R2)
	HASHTAIL
	ADD $16, R2
	ADD $16, R12
	SUB $16, R3
	B whole
part:
	CBZ R3, tag
	TAILMASK
	FMOVQ (R2), F14  // reaches into the room of the tag, which is written last
	FMOVQ (R12), F6
	VEOR V6.B16, V14.B16, V14.B16
	FMOVQ F14, (R2)
	VAND V5.B16, V14.B16, V14.B16
	HASHTAIL
	ADD R3, R2
tag:
	TAG
	FMOVQ F9, (R2)
	RET

// func gcmOpen(k *gcmKeys, start *[16]byte, data *byte, n int) (diff uint64)
// Each 128 bytes of cipher text are hashed beside the making of their key stream.
TEXT ·gcmOpen(SB), NOSPLIT, $128-40
	SETUP
more:
	CMP $128, R3
	BLT rest
	MOVD R2, R5
	COUNTERS8
	STITCH(ROUND8)
	CMP $10, R4
	BEQ last
	LONG(ROUND8)
last:
	CRYPT8
	ADD $128, R2
	SUB $128, R3
	B more

rest:
	CMP $64, R3
	BLE fewer
	COUNTERS8
	TAGBLOCK
	PLAIN(ROUND9)
	CMP $10, R4
	BEQ save8
	LONG(ROUND9)
save8:
	LAST9
	SAVE8
	B tail
fewer:
	COUNTERS4
	TAGBLOCK
	PLAIN(ROUND5)
	CMP $10, R4
	BEQ save4
	LONG(ROUND5)
save4:
	LAST5
	SAVE4

tail:
	ADD R3, R2, R13
	FMOVQ (R13), F4 // the tag
	TAIL
whole:
	CMP $16, R3
	BLT part
	FMOVQ (R2), F14
	FMOVQ (R12), F6
	VEOR V14.B16, V6.B16, V6.B16
	FMOVQ F6, (R2)
	HASHTAIL
	ADD $16, R2
	ADD $16, R12
	SUB $16, R3
	B whole
part:
	CBZ R3, tag
	TAILMASK
	FMOVQ (R2), F14  // reaches into the tag, which stays as it is
	FMOVQ (R12), F6
	VAND V5.B16, V6.B16, V6.B16
	VEOR V14.B16, V6.B16, V6.B16
	FMOVQ F6, (R2)
	VAND V5.B16, V14.B16, V14.B16
	HASHTAIL
tag:
	TAG
	VEOR V4.B16, V9.B16, V9.B16
	VMOV V9.D[0], R7
	VMOV V9.D[1], R8
	ORR R7, R8
	MOVD R8, diff+32(FP)
	RET

// func gcmPowers(k *gcmKeys)
// H is the encryption of zeros; its powers, times x^-1, and the sums of their
// halves follow the round keys.
TEXT ·gcmPowers(SB), NOSPLIT, $0-8
	MOVD k+0(FP), R0
	MOVD ROUNDS(R0), R4
	CONSTANTS
	VEOR V9.B16, V9.B16, V9.B16
	MOVD R0, R5
	SUB $1, R4
round:
	FMOVQ (R5), F8
	AESE V8.B16, V9.B16
	AESMC V9.B16, V9.B16
	ADD $16, R5
	SUB $1, R4
	CBNZ R4, round
	FMOVQ (R5), F8
	AESE V8.B16, V9.B16
	FMOVQ 16(R5), F8
	VEOR V8.B16, V9.B16, V9.B16
	VREV64 V9.B16, V9.B16
	// Times x^-1: one bit up; what falls out at the top comes back by the polynomial.
	VMOV V9.D[0], R7
	VMOV V9.D[1], R8
	LSR $63, R7, R9
	LSR $63, R8, R10
	ORR R7<<1, R10, R7
	LSL $1, R8
	EOR R9, R8
	NEG R9, R9
	MOVD $0xc200000000000000, R10
	AND R10, R9
	EOR R9, R7
	VMOV R7, V9.D[0]
	VMOV R8, V9.D[1]
	ADD $POW, R0, R10
	ADD $MID, R0, R11
	MOVD $const_gcmHashed, R4
power:
	FMOVQ F9, (R10)
	VEXT $8, V9.B16, V9.B16, V12.B16
	VEOR V9.B16, V12.B16, V12.B16
	FMOVD F12, (R11)
	SUB $1, R4
	CBZ R4, done
	ADD $16, R10
	ADD $8, R11
	VORR V9.B16, V9.B16, V14.B16
	ZERO
	MUL(POW(R0), MID(R0))
	REDUCE
	B power
done:
	RET

// func subWord(w uint32) uint32
// The S-box over four equal columns, which ShiftRows leaves alone.
TEXT ·subWord(SB), NOSPLIT, $0-12
	MOVWU w+0(FP), R0
	VDUP R0, V0.S4
	VEOR V1.B16, V1.B16, V1.B16
	AESE V1.B16, V0.B16
	VMOV V0.S[0], R0
	MOVW R0, ret+8(FP)
	RET

// func isar0() uint64
TEXT ·isar0(SB), NOSPLIT, $0-8
	MRS ID_AA64ISAR0_EL1, R0
	MOVD R0, ret+0(FP)
	RET
