package secure

import (
	"crypto/aes"
	"crypto/subtle"
)

// padLength checks PKCS#7 padding (RFC 5652, 6.3) of the last plaintext block in
// constant time: every byte is looked at, whatever they say. The number is only
// of use when ok.
func padLength(last []byte) (n int, ok bool) {
	n = int(last[aes.BlockSize-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, aes.BlockSize)
	for i := range aes.BlockSize {
		inside := subtle.ConstantTimeLessOrEq(i+1, n)
		same := subtle.ConstantTimeByteEq(last[aes.BlockSize-1-i], byte(n))
		good &= same | (inside ^ 1)
	}
	return n, good == 1
}
