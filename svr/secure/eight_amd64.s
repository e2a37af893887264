#include "textflag.h"

// Eight messages at once (AVX2): each 32-bit word of a register belongs to another
// message. Y0-Y7 are the states a to h, the message words lie on the stack, word i
// at 32*i, Y8-Y15 are scratch. CX counts blocks, BX points to eight pointers, DX is
// the offset of the block in every message, R8 points to the round constants. States
// lie word by word, 64 bytes apart: those of sixteen messages.

DATA swap32<>+0(SB)/8, $0x0405060700010203
DATA swap32<>+8(SB)/8, $0x0c0d0e0f08090a0b
DATA swap32<>+16(SB)/8, $0x0405060700010203
DATA swap32<>+24(SB)/8, $0x0c0d0e0f08090a0b
GLOBL swap32<>(SB), RODATA|NOPTR, $32

// ROW8 loads half a block of message i.
#define ROW8(i, half, W) \
	MOVQ i*8(BX), R9;             \
	VMOVDQU half(R9)(DX*1), W;    \
	VPSHUFB swap32<>(SB), W, W

// HALF stores the eight words of half a block of all messages.
#define HALF(half) \
	ROW8(0, half, Y0);             \
	ROW8(1, half, Y1);             \
	ROW8(2, half, Y2);             \
	ROW8(3, half, Y3);             \
	ROW8(4, half, Y4);             \
	ROW8(5, half, Y5);             \
	ROW8(6, half, Y6);             \
	ROW8(7, half, Y7);             \
	VPUNPCKLDQ Y1, Y0, Y8;         \
	VPUNPCKHDQ Y1, Y0, Y9;         \
	VPUNPCKLDQ Y3, Y2, Y10;        \
	VPUNPCKHDQ Y3, Y2, Y11;        \
	VPUNPCKLDQ Y5, Y4, Y12;        \
	VPUNPCKHDQ Y5, Y4, Y13;        \
	VPUNPCKLDQ Y7, Y6, Y14;        \
	VPUNPCKHDQ Y7, Y6, Y15;        \
	VPUNPCKLQDQ Y10, Y8, Y0;       \
	VPUNPCKHQDQ Y10, Y8, Y1;       \
	VPUNPCKLQDQ Y11, Y9, Y2;       \
	VPUNPCKHQDQ Y11, Y9, Y3;       \
	VPUNPCKLQDQ Y14, Y12, Y4;      \
	VPUNPCKHQDQ Y14, Y12, Y5;      \
	VPUNPCKLQDQ Y15, Y13, Y6;      \
	VPUNPCKHQDQ Y15, Y13, Y7;      \
	VPERM2I128 $0x20, Y4, Y0, Y8;  \
	VPERM2I128 $0x20, Y5, Y1, Y9;  \
	VPERM2I128 $0x20, Y6, Y2, Y10; \
	VPERM2I128 $0x20, Y7, Y3, Y11; \
	VPERM2I128 $0x31, Y4, Y0, Y12; \
	VPERM2I128 $0x31, Y5, Y1, Y13; \
	VPERM2I128 $0x31, Y6, Y2, Y14; \
	VPERM2I128 $0x31, Y7, Y3, Y15; \
	VMOVDQU Y8, (8*half+0)(SP);    \
	VMOVDQU Y9, (8*half+32)(SP);   \
	VMOVDQU Y10, (8*half+64)(SP);  \
	VMOVDQU Y11, (8*half+96)(SP);  \
	VMOVDQU Y12, (8*half+128)(SP); \
	VMOVDQU Y13, (8*half+160)(SP); \
	VMOVDQU Y14, (8*half+192)(SP); \
	VMOVDQU Y15, (8*half+224)(SP)

// ADDR and ADDL add x, shifted right or left, without carries.
#define ADDR(r, x, t, to) VPSRLD $r, x, t; VPXOR t, to, to
#define ADDL(l, x, t, to) VPSLLD $l, x, t; VPXOR t, to, to

// ROUND8 is a round with word w and the constant at k.
#define ROUND8(a, b, c, d, e, f, g, h, w, k) \
	VPADDD (32*w)(SP), h, h;  \
	VPBROADCASTD k(R8), Y10;  \
	VPSRLD $6, e, Y8;         \
	ADDL(26, e, Y9, Y8);      \
	ADDR(11, e, Y9, Y8);      \
	ADDL(21, e, Y9, Y8);      \
	ADDR(25, e, Y9, Y8);      \
	ADDL(7, e, Y9, Y8);       \
	VPXOR g, f, Y11;          \
	VPADDD Y10, h, h;         \
	VPAND e, Y11, Y11;        \
	VPXOR g, Y11, Y11;        \
	VPADDD Y8, h, h;          \
	VPADDD Y11, h, h;         \
	VPSRLD $2, a, Y8;         \
	ADDL(30, a, Y9, Y8);      \
	ADDR(13, a, Y9, Y8);      \
	ADDL(19, a, Y9, Y8);      \
	ADDR(22, a, Y9, Y8);      \
	ADDL(10, a, Y9, Y8);      \
	VPADDD h, d, d;           \
	VPOR b, a, Y11;           \
	VPAND b, a, Y12;          \
	VPAND c, Y11, Y11;        \
	VPOR Y12, Y11, Y11;       \
	VPADDD Y8, h, h;          \
	VPADDD Y11, h, h

// NEXT8 makes word w the one sixteen rounds later, from those 1, 9 and 14 behind.
#define NEXT8(w, w1, w9, w14) \
	VMOVDQU (32*w1)(SP), Y13;  \
	VMOVDQU (32*w14)(SP), Y14; \
	VMOVDQU (32*w)(SP), Y15;   \
	VPADDD (32*w9)(SP), Y15, Y15; \
	VPSRLD $3, Y13, Y8;        \
	ADDR(7, Y13, Y9, Y8);      \
	ADDL(25, Y13, Y9, Y8);     \
	ADDR(18, Y13, Y9, Y8);     \
	ADDL(14, Y13, Y9, Y8);     \
	VPSRLD $10, Y14, Y10;      \
	ADDR(17, Y14, Y11, Y10);   \
	ADDL(15, Y14, Y11, Y10);   \
	ADDR(19, Y14, Y11, Y10);   \
	ADDL(13, Y14, Y11, Y10);   \
	VPADDD Y8, Y15, Y15;       \
	VPADDD Y10, Y15, Y15;      \
	VMOVDQU Y15, (32*w)(SP)

// func shaBlocks8(state *uint32, k *[64]uint32, data **byte, blocks int)
TEXT ·shaBlocks8(SB), NOSPLIT, $512-32
	MOVQ state+0(FP), R10
	MOVQ data+16(FP), BX
	MOVQ blocks+24(FP), CX
	XORQ DX, DX
	TESTQ CX, CX
	JZ done
next:
	HALF(0)
	HALF(32)
	VMOVDQU 0(R10), Y0
	VMOVDQU 64(R10), Y1
	VMOVDQU 128(R10), Y2
	VMOVDQU 192(R10), Y3
	VMOVDQU 256(R10), Y4
	VMOVDQU 320(R10), Y5
	VMOVDQU 384(R10), Y6
	VMOVDQU 448(R10), Y7
	MOVQ k+8(FP), R8
	MOVQ $3, R11
sixteen:
	ROUND8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 0, 0)
	NEXT8(0, 1, 9, 14)
	ROUND8(Y7, Y0, Y1, Y2, Y3, Y4, Y5, Y6, 1, 4)
	NEXT8(1, 2, 10, 15)
	ROUND8(Y6, Y7, Y0, Y1, Y2, Y3, Y4, Y5, 2, 8)
	NEXT8(2, 3, 11, 0)
	ROUND8(Y5, Y6, Y7, Y0, Y1, Y2, Y3, Y4, 3, 12)
	NEXT8(3, 4, 12, 1)
	ROUND8(Y4, Y5, Y6, Y7, Y0, Y1, Y2, Y3, 4, 16)
	NEXT8(4, 5, 13, 2)
	ROUND8(Y3, Y4, Y5, Y6, Y7, Y0, Y1, Y2, 5, 20)
	NEXT8(5, 6, 14, 3)
	ROUND8(Y2, Y3, Y4, Y5, Y6, Y7, Y0, Y1, 6, 24)
	NEXT8(6, 7, 15, 4)
	ROUND8(Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y0, 7, 28)
	NEXT8(7, 8, 0, 5)
	ROUND8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 8, 32)
	NEXT8(8, 9, 1, 6)
	ROUND8(Y7, Y0, Y1, Y2, Y3, Y4, Y5, Y6, 9, 36)
	NEXT8(9, 10, 2, 7)
	ROUND8(Y6, Y7, Y0, Y1, Y2, Y3, Y4, Y5, 10, 40)
	NEXT8(10, 11, 3, 8)
	ROUND8(Y5, Y6, Y7, Y0, Y1, Y2, Y3, Y4, 11, 44)
	NEXT8(11, 12, 4, 9)
	ROUND8(Y4, Y5, Y6, Y7, Y0, Y1, Y2, Y3, 12, 48)
	NEXT8(12, 13, 5, 10)
	ROUND8(Y3, Y4, Y5, Y6, Y7, Y0, Y1, Y2, 13, 52)
	NEXT8(13, 14, 6, 11)
	ROUND8(Y2, Y3, Y4, Y5, Y6, Y7, Y0, Y1, 14, 56)
	NEXT8(14, 15, 7, 12)
	ROUND8(Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y0, 15, 60)
	NEXT8(15, 0, 8, 13)
	ADDQ $64, R8
	DECQ R11
	JNZ sixteen
	ROUND8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 0, 0)
	ROUND8(Y7, Y0, Y1, Y2, Y3, Y4, Y5, Y6, 1, 4)
	ROUND8(Y6, Y7, Y0, Y1, Y2, Y3, Y4, Y5, 2, 8)
	ROUND8(Y5, Y6, Y7, Y0, Y1, Y2, Y3, Y4, 3, 12)
	ROUND8(Y4, Y5, Y6, Y7, Y0, Y1, Y2, Y3, 4, 16)
	ROUND8(Y3, Y4, Y5, Y6, Y7, Y0, Y1, Y2, 5, 20)
	ROUND8(Y2, Y3, Y4, Y5, Y6, Y7, Y0, Y1, 6, 24)
	ROUND8(Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y0, 7, 28)
	ROUND8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, 8, 32)
	ROUND8(Y7, Y0, Y1, Y2, Y3, Y4, Y5, Y6, 9, 36)
	ROUND8(Y6, Y7, Y0, Y1, Y2, Y3, Y4, Y5, 10, 40)
	ROUND8(Y5, Y6, Y7, Y0, Y1, Y2, Y3, Y4, 11, 44)
	ROUND8(Y4, Y5, Y6, Y7, Y0, Y1, Y2, Y3, 12, 48)
	ROUND8(Y3, Y4, Y5, Y6, Y7, Y0, Y1, Y2, 13, 52)
	ROUND8(Y2, Y3, Y4, Y5, Y6, Y7, Y0, Y1, 14, 56)
	ROUND8(Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y0, 15, 60)
	VPADDD 0(R10), Y0, Y0
	VPADDD 64(R10), Y1, Y1
	VPADDD 128(R10), Y2, Y2
	VPADDD 192(R10), Y3, Y3
	VPADDD 256(R10), Y4, Y4
	VPADDD 320(R10), Y5, Y5
	VPADDD 384(R10), Y6, Y6
	VPADDD 448(R10), Y7, Y7
	VMOVDQU Y0, 0(R10)
	VMOVDQU Y1, 64(R10)
	VMOVDQU Y2, 128(R10)
	VMOVDQU Y3, 192(R10)
	VMOVDQU Y4, 256(R10)
	VMOVDQU Y5, 320(R10)
	VMOVDQU Y6, 384(R10)
	VMOVDQU Y7, 448(R10)
	ADDQ $64, DX
	DECQ CX
	JNZ next
	VZEROUPPER
done:
	RET
