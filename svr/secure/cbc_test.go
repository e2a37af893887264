package secure_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"waymark/svr/secure"
)

// TestCBCAgainstReference compares every length up to 300 bytes with the
// standard library, both directions.
func TestCBCAgainstReference(t *testing.T) {
	for _, c := range []secure.Cipher{secure.CBC128, secure.CBC256} {
		p := cbcPolicy(t, c, secure.DigestNone, secure.ModeDisabled)
		block, err := aes.NewCipher(key(c.KeySize()))
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 300; n++ {
			iv := [16]byte(key(n + 16)[n:])
			plain := key(n)
			want := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(16 - n%16)}, 16-n%16)...)
			cipher.NewCBCEncrypter(block, iv[:]).CryptBlocks(want, want)
			want = append(want, iv[:]...)
			buf := room(plain, secure.CBCOverhead)
			got := p.EncryptCBC(buf, n, &iv)
			if !bytes.Equal(got, want) || &got[0] != &buf[0] {
				t.Fatalf("%v, %d bytes: %x, want %x", c, n, got, want)
			}
			if back, err := p.DecryptCBC(got); err != nil || !bytes.Equal(back, plain) {
				t.Fatalf("%v, %d bytes: back %x, %v", c, n, back, err)
			}
		}
	}
}

func TestCBCEdges(t *testing.T) {
	p := cbcPolicy(t, secure.CBC128, secure.DigestNone, secure.ModeDisabled)
	none := cbcPolicy(t, secure.CipherNone, secure.DigestNone, secure.ModeDisabled)
	gcm := cbcPolicy(t, secure.GCM128, secure.DigestNone, secure.ModeDisabled)
	var iv [16]byte
	if got := p.EncryptCBC(make([]byte, 8), 0, &iv); len(got) != 0 {
		t.Errorf("nothing became %x", got)
	}
	if got, err := p.DecryptCBC(nil); err != nil || len(got) != 0 {
		t.Errorf("nothing became %x, %v", got, err)
	}
	for n := 1; n < 40; n++ {
		need := n + 16 - n%16 + 16
		if got := p.EncryptCBC(make([]byte, n, need-1), n, &iv); got != nil {
			t.Errorf("%d bytes, no room: %x", n, got)
		}
		if got := p.EncryptCBC(make([]byte, n, need), n, &iv); len(got) != need || need-n > secure.CBCOverhead {
			t.Errorf("%d bytes: %d, want %d", n, len(got), need)
		}
	}
	if got := none.EncryptCBC([]byte("clear"), 5, &iv); string(got) != "clear" {
		t.Errorf("clear became %q", got)
	}
	if got, err := none.DecryptCBC([]byte("clear")); err != nil || string(got) != "clear" {
		t.Errorf("clear became %q, %v", got, err)
	}
	if got := gcm.EncryptCBC(make([]byte, 8, 64), 8, &iv); got != nil {
		t.Errorf("GCM policy encrypted CBC: %x", got)
	}
	if _, err := gcm.DecryptCBC(make([]byte, 64)); err != secure.ErrDecrypt {
		t.Errorf("GCM policy decrypted CBC: %v", err)
	}
}

// TestCBCFailuresLookAlike holds that every failure is the very same error.
func TestCBCFailuresLookAlike(t *testing.T) {
	p := cbcPolicy(t, secure.CBC128, secure.DigestNone, secure.ModeDisabled)
	var iv [16]byte
	sealed := p.EncryptCBC(make([]byte, 40, 100), 40, &iv)
	fails := 0
	for n := 1; n <= len(sealed); n++ {
		if n%16 == 0 && n >= 32 {
			continue // may decrypt to something that looks padded
		}
		if _, err := p.DecryptCBC(bytes.Clone(sealed[:n])); err != secure.ErrDecrypt {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for i := range 256 {
		bad := bytes.Clone(sealed)
		bad[len(bad)-16-32+15] ^= byte(i) // changes the last byte of padding
		if _, err := p.DecryptCBC(bad); err != nil {
			fails++
			if err != secure.ErrDecrypt {
				t.Errorf("padding ^ %02x: %v", i, err)
			}
		}
	}
	if fails != 254 { // the padding as it was (8) and 1
		t.Errorf("%d of 256 paddings failed, want 254", fails)
	}
}
