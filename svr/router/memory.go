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
// by this much of its live size before it is collected. Nothing on a packet's
// way allocates, so collections are rare all the same. There is no hard limit:
// a collector that fights for one takes the time of packets.
const gcPercent = 5

// LimitHeap sets the collector up for a heap that is nearly all pools. A
// program calls it before it reads its configuration.
func LimitHeap() { debug.SetGCPercent(gcPercent) }

// settle makes every page of the pools present, so that a flood that fills them
// later needs no more memory than an idle router has, and gives back what the
// start needed.
func settle(p *Parts) {
	p.Engine.Prefault()
	p.Table.Prefault()
	p.Wayports.Prefault()
	p.NAT.Prefault()
	debug.FreeOSMemory()
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
