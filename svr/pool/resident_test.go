package pool

import (
	"syscall"
	"testing"
	"unsafe"
)

// resident counts the pages of mem that the kernel has given memory to.
func resident(t *testing.T, mem []byte) (pages int) {
	t.Helper()
	vec := make([]byte, (len(mem)+pageSize-1)/pageSize)
	_, _, e := syscall.Syscall(syscall.SYS_MINCORE, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), uintptr(unsafe.Pointer(&vec[0])))
	if e != 0 {
		t.Fatal(e)
	}
	for _, v := range vec {
		pages += int(v & 1)
	}
	return pages
}

// TestMemoryGrowsWithUse: at boot the table touches its header only, then the
// slots in use and no others, and a busy life in few slots stays there.
func TestMemoryGrowsWithUse(t *testing.T) {
	cfg := TableConfig{Slots: 131072}
	mem, err := syscall.Mmap(-1, 0, MemorySize(cfg), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(mem)
	tab, err := NewTable(mem, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := resident(t, mem); got > 1 {
		t.Errorf("after boot: got %d pages, want 1", got)
	}
	slots := mem[tab.base:]
	for i := range uint32(10_000) {
		now := second + int64(i)*2*second
		k := key4(i)
		s, err := tab.Insert(k, action(k, i, false), i)
		if err != nil {
			t.Fatal(err)
		}
		tab.Remove(s, now)
		tab.Advance(now + second + second/2)
	}
	if got := resident(t, slots); got > 2 {
		t.Errorf("after 10,000 sessions one by one: got %d pages of slots, want at most 2", got)
	}
	for i := range uint32(6400) {
		k := key4(i)
		if _, err := tab.Insert(k, action(k, i, false), i); err != nil {
			t.Fatal(err)
		}
	}
	if got := resident(t, slots); got > 102 {
		t.Errorf("with 6,400 directions: got %d pages of slots, want at most 102", got)
	}
}
