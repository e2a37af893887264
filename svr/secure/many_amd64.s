#include "textflag.h"

// Sixteen messages at once (AVX-512): each 32-bit word of a register belongs to
// another message. Z0-Z7 are the states a to h, Z16-Z31 the message words, Z8-Z15
// scratch. CX counts blocks, BX points to sixteen pointers, DX is the offset of
// the block in every message, R8 points to the round constants.

DATA swap16<>+0(SB)/8, $0x0405060700010203
DATA swap16<>+8(SB)/8, $0x0c0d0e0f08090a0b
GLOBL swap16<>(SB), RODATA|NOPTR, $16

// ROW loads 64 bytes of message i.
#define ROW(i, W) \
	MOVQ i*8(BX), R9;           \
	VMOVDQU32 (R9)(DX*1), W;    \
	VPSHUFB Z15, W, W

// WORDS4 gathers words of four messages: each quarter of register i then has
// word i of its four.
#define WORDS4(A, B, C, D) \
	VPUNPCKLDQ B, A, Z8;    \
	VPUNPCKHDQ B, A, Z9;    \
	VPUNPCKLDQ D, C, Z10;   \
	VPUNPCKHDQ D, C, Z11;   \
	VPUNPCKLQDQ Z10, Z8, A; \
	VPUNPCKHQDQ Z10, Z8, B; \
	VPUNPCKLQDQ Z11, Z9, C; \
	VPUNPCKHQDQ Z11, Z9, D

// QUARTERS transposes the quarters of four registers.
#define QUARTERS(A, B, C, D) \
	VSHUFI32X4 $0x44, B, A, Z8;   \
	VSHUFI32X4 $0xee, B, A, Z9;   \
	VSHUFI32X4 $0x44, D, C, Z10;  \
	VSHUFI32X4 $0xee, D, C, Z11;  \
	VSHUFI32X4 $0x88, Z10, Z8, A; \
	VSHUFI32X4 $0xdd, Z10, Z8, B; \
	VSHUFI32X4 $0x88, Z11, Z9, C; \
	VSHUFI32X4 $0xdd, Z11, Z9, D

// ROUND is a round with word W and the constant at k; 0x96 is the sum of three,
// 0xca a choice, 0xe8 the majority.
#define ROUND(a, b, c, d, e, f, g, h, W, k) \
	VPRORD $6, e, Z8;                \
	VPRORD $11, e, Z9;               \
	VPRORD $25, e, Z10;              \
	VPADDD W, h, h;                  \
	VMOVDQA32 e, Z11;                \
	VPTERNLOGD $0xca, g, f, Z11;     \
	VPTERNLOGD $0x96, Z8, Z9, Z10;   \
	VPADDD.BCST k(R8), h, h;         \
	VPADDD Z10, Z11, Z11;            \
	VPRORD $2, a, Z8;                \
	VPRORD $13, a, Z9;               \
	VPRORD $22, a, Z10;              \
	VMOVDQA32 a, Z12;                \
	VPTERNLOGD $0xe8, c, b, Z12;     \
	VPADDD Z11, h, h;                \
	VPTERNLOGD $0x96, Z8, Z9, Z10;   \
	VPADDD h, d, d;                  \
	VPADDD Z12, h, h;                \
	VPADDD Z10, h, h

// NEXT makes word W the one sixteen rounds later, from those 1, 9 and 14 behind.
#define NEXT(W, W1, W9, W14) \
	VPRORD $7, W1, Z13;             \
	VPRORD $18, W1, Z14;            \
	VPSRLD $3, W1, Z15;             \
	VPADDD W9, W, W;                \
	VPTERNLOGD $0x96, Z13, Z14, Z15; \
	VPADDD Z15, W, W;               \
	VPRORD $17, W14, Z13;           \
	VPRORD $19, W14, Z14;           \
	VPSRLD $10, W14, Z15;           \
	VPTERNLOGD $0x96, Z13, Z14, Z15; \
	VPADDD Z15, W, W

// func shaBlocks16(state *[8][16]uint32, k *[64]uint32, data *[16]*byte, blocks int)
TEXT ·shaBlocks16(SB), NOSPLIT, $0-32
	MOVQ state+0(FP), R10
	MOVQ data+16(FP), BX
	MOVQ blocks+24(FP), CX
	XORQ DX, DX
	TESTQ CX, CX
	JZ done
	VMOVDQU32 0(R10), Z0
	VMOVDQU32 64(R10), Z1
	VMOVDQU32 128(R10), Z2
	VMOVDQU32 192(R10), Z3
	VMOVDQU32 256(R10), Z4
	VMOVDQU32 320(R10), Z5
	VMOVDQU32 384(R10), Z6
	VMOVDQU32 448(R10), Z7
next:
	VBROADCASTI32X4 swap16<>(SB), Z15
	ROW(0, Z16)
	ROW(1, Z17)
	ROW(2, Z18)
	ROW(3, Z19)
	ROW(4, Z20)
	ROW(5, Z21)
	ROW(6, Z22)
	ROW(7, Z23)
	ROW(8, Z24)
	ROW(9, Z25)
	ROW(10, Z26)
	ROW(11, Z27)
	ROW(12, Z28)
	ROW(13, Z29)
	ROW(14, Z30)
	ROW(15, Z31)
	WORDS4(Z16, Z17, Z18, Z19)
	WORDS4(Z20, Z21, Z22, Z23)
	WORDS4(Z24, Z25, Z26, Z27)
	WORDS4(Z28, Z29, Z30, Z31)
	QUARTERS(Z16, Z20, Z24, Z28)
	QUARTERS(Z17, Z21, Z25, Z29)
	QUARTERS(Z18, Z22, Z26, Z30)
	QUARTERS(Z19, Z23, Z27, Z31)
	MOVQ k+8(FP), R8
	MOVQ $3, R11
sixteen:
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z16, 0)
	NEXT(Z16, Z17, Z25, Z30)
	ROUND(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z17, 4)
	NEXT(Z17, Z18, Z26, Z31)
	ROUND(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z18, 8)
	NEXT(Z18, Z19, Z27, Z16)
	ROUND(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z19, 12)
	NEXT(Z19, Z20, Z28, Z17)
	ROUND(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z20, 16)
	NEXT(Z20, Z21, Z29, Z18)
	ROUND(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z21, 20)
	NEXT(Z21, Z22, Z30, Z19)
	ROUND(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z22, 24)
	NEXT(Z22, Z23, Z31, Z20)
	ROUND(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z23, 28)
	NEXT(Z23, Z24, Z16, Z21)
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z24, 32)
	NEXT(Z24, Z25, Z17, Z22)
	ROUND(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z25, 36)
	NEXT(Z25, Z26, Z18, Z23)
	ROUND(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z26, 40)
	NEXT(Z26, Z27, Z19, Z24)
	ROUND(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z27, 44)
	NEXT(Z27, Z28, Z20, Z25)
	ROUND(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z28, 48)
	NEXT(Z28, Z29, Z21, Z26)
	ROUND(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z29, 52)
	NEXT(Z29, Z30, Z22, Z27)
	ROUND(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z30, 56)
	NEXT(Z30, Z31, Z23, Z28)
	ROUND(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z31, 60)
	NEXT(Z31, Z16, Z24, Z29)
	ADDQ $64, R8
	DECQ R11
	JNZ sixteen
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z16, 0)
	ROUND(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z17, 4)
	ROUND(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z18, 8)
	ROUND(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z19, 12)
	ROUND(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z20, 16)
	ROUND(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z21, 20)
	ROUND(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z22, 24)
	ROUND(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z23, 28)
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z24, 32)
	ROUND(Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z25, 36)
	ROUND(Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z5, Z26, 40)
	ROUND(Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z4, Z27, 44)
	ROUND(Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z3, Z28, 48)
	ROUND(Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z2, Z29, 52)
	ROUND(Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z1, Z30, 56)
	ROUND(Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z0, Z31, 60)
	VPADDD 0(R10), Z0, Z0
	VPADDD 64(R10), Z1, Z1
	VPADDD 128(R10), Z2, Z2
	VPADDD 192(R10), Z3, Z3
	VPADDD 256(R10), Z4, Z4
	VPADDD 320(R10), Z5, Z5
	VPADDD 384(R10), Z6, Z6
	VPADDD 448(R10), Z7, Z7
	VMOVDQU32 Z0, 0(R10)
	VMOVDQU32 Z1, 64(R10)
	VMOVDQU32 Z2, 128(R10)
	VMOVDQU32 Z3, 192(R10)
	VMOVDQU32 Z4, 256(R10)
	VMOVDQU32 Z5, 320(R10)
	VMOVDQU32 Z6, 384(R10)
	VMOVDQU32 Z7, 448(R10)
	ADDQ $64, DX
	DECQ CX
	JNZ next
	VZEROUPPER
done:
	RET

// Eight chains of CBC: X0-X7, data in R8-R13, DI and SI at offset DX; AX round
// keys, R15 the last one, CX rounds, BX blocks of 16 bytes left.
#define ALL8(op, K) \
	op K, X0, X0; op K, X1, X1; op K, X2, X2; op K, X3, X3; \
	op K, X4, X4; op K, X5, X5; op K, X6, X6; op K, X7, X7

// func cbcEncrypt8(keys *byte, rounds int, chain *[8][16]byte, data *[8]*byte, blocks int)
TEXT ·cbcEncrypt8(SB), NOSPLIT, $0-40
	MOVQ data+24(FP), BX
	MOVQ 0(BX), R8
	MOVQ 8(BX), R9
	MOVQ 16(BX), R10
	MOVQ 24(BX), R11
	MOVQ 32(BX), R12
	MOVQ 40(BX), R13
	MOVQ 48(BX), DI
	MOVQ 56(BX), SI
	MOVQ chain+16(FP), BX
	VMOVDQU 0(BX), X0
	VMOVDQU 16(BX), X1
	VMOVDQU 32(BX), X2
	VMOVDQU 48(BX), X3
	VMOVDQU 64(BX), X4
	VMOVDQU 80(BX), X5
	VMOVDQU 96(BX), X6
	VMOVDQU 112(BX), X7
	MOVQ blocks+32(FP), BX
	XORQ DX, DX
	TESTQ BX, BX
	JZ done8
next8:
	MOVQ keys+0(FP), AX
	MOVQ rounds+8(FP), CX
	VMOVDQU (AX), X8
	VPXOR (R8)(DX*1), X0, X0
	VPXOR (R9)(DX*1), X1, X1
	VPXOR (R10)(DX*1), X2, X2
	VPXOR (R11)(DX*1), X3, X3
	VPXOR (R12)(DX*1), X4, X4
	VPXOR (R13)(DX*1), X5, X5
	VPXOR (DI)(DX*1), X6, X6
	VPXOR (SI)(DX*1), X7, X7
	ALL8(VPXOR, X8)
	DECQ CX
round8:
	ADDQ $16, AX
	VMOVDQU (AX), X8
	ALL8(VAESENC, X8)
	DECQ CX
	JNZ round8
	VMOVDQU 16(AX), X8
	ALL8(VAESENCLAST, X8)
	VMOVDQU X0, (R8)(DX*1)
	VMOVDQU X1, (R9)(DX*1)
	VMOVDQU X2, (R10)(DX*1)
	VMOVDQU X3, (R11)(DX*1)
	VMOVDQU X4, (R12)(DX*1)
	VMOVDQU X5, (R13)(DX*1)
	VMOVDQU X6, (DI)(DX*1)
	VMOVDQU X7, (SI)(DX*1)
	ADDQ $16, DX
	DECQ BX
	JNZ next8
	MOVQ chain+16(FP), BX
	VMOVDQU X0, 0(BX)
	VMOVDQU X1, 16(BX)
	VMOVDQU X2, 32(BX)
	VMOVDQU X3, 48(BX)
	VMOVDQU X4, 64(BX)
	VMOVDQU X5, 80(BX)
	VMOVDQU X6, 96(BX)
	VMOVDQU X7, 112(BX)
done8:
	RET
