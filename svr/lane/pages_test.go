package lane

import (
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// resident counts the pages of s, of those that lie in it as a whole, that the kernel
// has given memory to.
func resident[T any](t *testing.T, s []T) (pages int) {
	t.Helper()
	mem := pagesOf(s)
	vec := make([]byte, len(mem)/unix.Getpagesize())
	_, _, e := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), uintptr(unsafe.Pointer(&vec[0])))
	if e != 0 {
		t.Fatal(e)
	}
	for _, v := range vec {
		pages += int(v & 1)
	}
	return pages
}

// TestGiveBack: whole pages take no room any more and are zero, what is at the ends
// stays; less than a page is left alone.
func TestGiveBack(t *testing.T) {
	page := unix.Getpagesize()
	s := pagesOf(make([]byte, 64*page))[:62*page]
	part := s[1 : 61*page+1] // pages 1 to 60 and something of two others
	for i := range s {
		s[i] = 1
	}
	if got := resident(t, s); got != 62 {
		t.Fatalf("written: got %d pages, want 62", got)
	}
	giveBack(part)
	if got := resident(t, s); got != 2 {
		t.Errorf("given back: got %d pages, want the first and the last", got)
	}
	giveBack(s[61*page : 62*page-1])
	giveBack([]byte(nil))
	if got := resident(t, s); got != 2 {
		t.Errorf("less than a page given back: got %d pages, want 2", got)
	}
	for i, v := range s {
		if (v == 0) != (i >= page && i < 61*page) {
			t.Fatalf("byte %d is %d", i, v)
		}
	}
}

// TestFresh: what lies on memory that was used before takes no room either.
func TestFresh(t *testing.T) {
	size := 256 * unix.Getpagesize()
	for range 8 {
		used := make([]byte, size)
		for i := range used {
			used[i] = 1
		}
		runtime.KeepAlive(&used)
		runtime.GC()
		s := fresh[byte](size)
		if got := resident(t, s); got != 0 {
			t.Fatalf("got %d pages, want none", got)
		}
		for i := range s {
			if s[i] != 0 {
				t.Fatalf("byte %d is %d", i, s[i])
			}
		}
	}
}
