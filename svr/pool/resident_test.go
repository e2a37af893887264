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
// slots that it needs, the index not before a window is full.
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
	for i := range uint32(500) {
		k := key4(i)
		if _, err := tab.Insert(k, action(k, i, false), i); err != nil {
			t.Fatal(err)
		}
	}
	slots := mem[tab.base:]
	if got := resident(t, slots); got > 500 {
		t.Errorf("with 500 directions: got %d pages of slots", got)
	}
}
