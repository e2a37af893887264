//go:build linux && (amd64 || arm64)

package secure

import (
	"bytes"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
)

// TestWays holds every way that the CPU has, those of smaller CPUs too.
func TestWays(t *testing.T) {
	for way := range gcmWays {
		for name, test := range map[string]func(*testing.T){
			"lengths": TestGCMLengths, "published": TestGCMPublished, "wraps": TestGCMCounterWraps,
			"edges": TestGHASHEdges, "flipped": TestGCMFlippedBits, "rekeyed": TestRekeyed, "fences": testPageEnds,
		} {
			t.Run(way+"/"+name, func(t *testing.T) {
				useWay(t, way)
				test(t)
			})
		}
	}
}

// testPageEnds seals and opens packets that begin and end with the memory: a byte
// read or written outside of them ends the test.
func testPageEnds(t *testing.T) {
	needGCM(t)
	page := os.Getpagesize()
	whole, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(whole)
	mem := whole[page : 2*page]
	if err := syscall.Mprotect(mem, syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	r := rand.NewChaCha8([32]byte{7})
	key := randomBytes(r, 32)
	k, std := newKeys(key), newAEAD(t, key)
	for n := range 1500 {
		nonce, text := randomBytes(r, gcmNonce), randomBytes(r, n)
		start, want := [16]byte(append(bytes.Clone(nonce), 0, 0, 0, 1)), std.Seal(nil, nonce, text, nil)
		for _, b := range [][]byte{mem[:n+gcmTag], mem[page-n-gcmTag:]} {
			copy(b, text)
			if k.seal(&start, b); !bytes.Equal(b, want) {
				t.Fatalf("%d bytes: sealed %x, want %x", n, b, want)
			}
			if !k.open(&start, b) || !bytes.Equal(b[:n], text) {
				t.Fatalf("%d bytes: opened %x, want %x", n, b[:n], text)
			}
		}
	}
}
