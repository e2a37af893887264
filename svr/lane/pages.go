package lane

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// fresh makes a slice of n whose pages take room when they are touched. A plain slice
// does as well, but not where it comes to lie on what was used before, as it may behind
// a start that reads a configuration: it is cleared then.
func fresh[T any](n int) []T {
	s := make([]T, n)
	giveBack(s)
	return s
}

// giveBack gives the whole pages of s back to the system: they are zero and take no
// room until they are touched again. What is at both ends stays. For types without
// pointers, and for the memory's only user.
func giveBack[T any](s []T) {
	if b := pagesOf(s); len(b) > 0 {
		_ = unix.Madvise(b, unix.MADV_DONTNEED) // refused: it stays
	}
}

// pagesOf is the memory of the pages that lie in s as a whole.
func pagesOf[T any](s []T) []byte {
	var one T
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(one)))
	page := unix.Getpagesize()
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (page - 1)
	if len(b) < skip+page {
		return nil
	}
	return b[skip : skip+(len(b)-skip)&^(page-1)]
}
