package router

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"waymark/svr/pool"
)

// gcPercent keeps garbage small beside pools that never change: the heap grows
// by this much of its live size before it is collected.
const gcPercent = 15

// limitHeap sets the collector up for a heap that is nearly all pools.
func limitHeap(prof Profile) {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(int64(prof.Memory))
}

// tableMemory maps the memory of the session table, every page of it present.
func tableMemory(prof Profile) ([]byte, error) {
	size := pool.MemorySize(prof.table([16]byte{}))
	m, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map session table: %w", err)
	}
	return m, nil
}

// madvPopulateWrite is MADV_POPULATE_WRITE (Linux 5.14).
const madvPopulateWrite = 23

// prefault makes every page of the pools present, so that a flood that fills
// them later needs no more memory than an idle router has.
func prefault(p *Parts) {
	p.Engine.Prefault()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return // the pools then grow into memory as they fill
	}
	defer maps.Close()
	for s := bufio.NewScanner(maps); s.Scan(); {
		if from, size, ok := heapRange(s.Text()); ok {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, size, madvPopulateWrite) // older kernels: as above
		}
	}
}

// heapRange reads a line of /proc/PID/maps; ok when it is a writable part of
// Go's heap, which lies where no other mapping does.
func heapRange(line string) (from, size uintptr, ok bool) {
	f := strings.Fields(line)
	if len(f) != 5 && !(len(f) == 6 && strings.HasPrefix(f[5], "[anon: Go: heap")) || f[1] != "rw-p" {
		return 0, 0, false
	}
	a, b, _ := strings.Cut(f[0], "-")
	lo, err1 := strconv.ParseUint(a, 16, 64)
	hi, err2 := strconv.ParseUint(b, 16, 64)
	if err1 != nil || err2 != nil || lo < heapBase || hi > heapBase+heapSpan {
		return 0, 0, false
	}
	return uintptr(lo), uintptr(hi - lo), true
}

// Go places its arenas from heapBase on, on amd64 and arm64.
const (
	heapBase = 0xc000000000
	heapSpan = 64 << 30
)

// usedMemory is design 4's memory of this process in bytes: RssAnon and the
// file- and shmem-backed pages other than the binary's text. Maps that are not
// mapped do not exist before the fast lane does.
func usedMemory() (int, error) {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	defer f.Close()
	return sumMemory(bufio.NewScanner(f))
}

// sumMemory adds the resident pages of all mappings of an smaps file but those
// of the binary's text.
func sumMemory(s *bufio.Scanner) (total int, err error) {
	text := false
	for s.Scan() {
		f := strings.Fields(s.Text())
		switch {
		case len(f) >= 5 && strings.Contains(f[0], "-"):
			text = isText(f)
		case len(f) == 3 && f[0] == "Rss:" && !text:
			kb, err := strconv.Atoi(f[1])
			if err != nil {
				return 0, fmt.Errorf("read memory: %w", err)
			}
			total += kb << 10
		}
	}
	return total, s.Err()
}

// isText tells whether a mapping is executable code of a file (or the kernel's
// own vdso): pages that every process of that binary shares.
func isText(f []string) bool { return strings.HasPrefix(f[1], "r-x") && len(f) >= 6 }
