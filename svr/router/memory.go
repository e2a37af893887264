package router

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"waymark/svr/lane/fast"
	"waymark/svr/pool"
)

// gcPercent keeps garbage small beside pools that never change: the heap grows
// by this much of its live size before it is collected, and by mostGarbage bytes
// where that is less. Nothing on a packet's way allocates, so collections are rare
// all the same. There is no hard limit: a collector that fights for one takes the
// time of packets.
const (
	gcPercent   = 5
	mostGarbage = 1 << 19
)

// startPercent is the same until the router forwards: what is made until then stays,
// for the most part, and to look through it again for each twentieth that comes to it
// was a fifth of the time. In the smaller profiles the first collection ends the start:
// what is made behind one lies on what was used before and is cleared, so that it takes
// room though nobody needs it yet.
const startPercent = 400

// LimitHeap sets the collector up for a start. A program calls it before it reads its
// configuration.
func LimitHeap() { debug.SetGCPercent(startPercent) }

// settle makes every page of the pools present, so that a flood that fills them
// later needs no more memory than an idle router has, gives back what the start
// needed, and has the collector keep it so. Beside a lane that runs.
func (r *Router) settle() {
	for _, m := range r.reserved() {
		if err := populate(m); err == nil {
			continue
		}
		// Before Linux 5.14 nobody but its writer can do that.
		if r.onLane(func() { pool.Touch(m) }) != nil {
			return // the lane has ended
		}
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetGCPercent(int(min(max(100*mostGarbage/m.HeapAlloc, 1), gcPercent)))
	r.settled.Store(true)
}

// reserved is the memory of all pools; that of the session table was present when it
// was made.
func (r *Router) reserved() (list [][]byte) {
	p := r.parts
	for _, l := range [][][]byte{p.Engine.Reserved(), p.Table.Reserved(), p.Wayports.Reserved(), p.NAT.Reserved()} {
		list = append(list, l...)
	}
	if r.fast != nil {
		list = append(list, pool.Reserve(r.fast.records.hops))
	}
	return list
}

// populate makes the pages of memory present, whoever reads and writes there.
func populate(memory []byte) error {
	if len(memory) == 0 {
		return nil
	}
	return unix.Madvise(memory, unix.MADV_POPULATE_WRITE)
}

// tidyAfter is when the start of a router is over, if it has settled, and tidyEvery how often what
// shows and changes needed is given back from then on.
const (
	tidyAfter = 2 * time.Second
	tidyEvery = time.Minute
)

// tidy gives back the memory that nobody needs any more, now and then.
func (r *Router) tidy() {
	now := time.Now()
	if !r.settled.Load() || now.Sub(r.started) < tidyAfter || now.Sub(r.tidied) < tidyEvery {
		return
	}
	r.tidied = now
	fast.Tidy()
	_ = r.onLane(r.parts.Engine.Tidy) // one that has ended needs it no more
	debug.FreeOSMemory()
	list, err := findConstants()
	for _, m := range list {
		if _, _, e := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED); e != 0 {
			err = e
		}
	}
	if err != nil {
		r.log.Debug("constants that nobody reads stay in memory", "error", err)
	}
}

// region is a part of the address space.
type region struct{ from, to uintptr }

// findConstants finds the pages of the binary's constants: 6 MB that come back,
// sixteen pages at a time, when they are read. They are clean pages of a file,
// others are left out.
func findConstants() (list []region, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find constants: %w", err)
	}
	_, err = scanFile("/proc/self/smaps", func(s *bufio.Scanner) (int, error) {
		var m region
		for s.Scan() {
			line := s.Bytes()
			switch {
			case isMapping(line):
				m = region{}
				if f := strings.Fields(string(line)); len(f) == 6 && f[1] == "r--p" && f[5] == exe {
					_, _ = fmt.Sscanf(f[0], "%x-%x", &m.from, &m.to) // on failure there is nothing to give
				}
			case m.to > m.from && bytes.HasPrefix(line, []byte("Anonymous:")) && bytes.HasSuffix(line, []byte(" 0 kB")):
				list = append(list, m)
			}
		}
		return 0, s.Err()
	})
	return list, err
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

// mapPages maps memory that takes room when it is touched, nil where that fails.
func mapPages(size int) []byte {
	m, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil
	}
	return m
}

// usedMemory is the memory of this process in bytes: RssAnon and the
// file- and shmem-backed pages other than the binary's text. The sums are the
// kernel's own; of the list of mappings only the text is taken, because mappings
// that come and go while it is read may stand there twice. The lane's BPF maps
// that are not mapped come to some kilobytes and are left out.
func usedMemory() (int, error) {
	all, err := scanFile("/proc/self/status", sumStatus)
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	text, err := scanFile("/proc/self/smaps", sumText)
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	return all - text, nil
}

func scanFile(name string, sum func(*bufio.Scanner) (int, error)) (int, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return sum(bufio.NewScanner(f))
}

// sumStatus adds the resident pages of all kinds in a status file of proc.
func sumStatus(s *bufio.Scanner) (total int, err error) {
	for s.Scan() {
		f := strings.Fields(s.Text())
		if len(f) != 3 || !slices.Contains([]string{"RssAnon:", "RssFile:", "RssShmem:"}, f[0]) {
			continue
		}
		kb, err := strconv.Atoi(f[1])
		if err != nil {
			return 0, err
		}
		total += kb << 10
	}
	return total, s.Err()
}

// isMapping tells whether a line of a smaps file begins a mapping: with an address,
// where all others have a name with a capital.
func isMapping(line []byte) bool { return len(line) > 0 && (line[0] < 'A' || line[0] > 'Z') }

// sumText adds the resident file pages of mappings of executable files in a
// smaps file: pages that every process of that binary shares.
func sumText(s *bufio.Scanner) (total int, err error) {
	text := false
	for s.Scan() {
		line := s.Bytes() // most of a thousand are of no interest
		switch {
		case isMapping(line):
			text = bytes.Contains(line, []byte(" r-x")) && bytes.Contains(line, []byte(" /"))
		case text && (bytes.HasPrefix(line, []byte("Rss:")) || bytes.HasPrefix(line, []byte("Anonymous:"))):
			f := strings.Fields(string(line))
			if len(f) != 3 {
				continue
			}
			kb, err := strconv.Atoi(f[1])
			if err != nil {
				return 0, err
			}
			if f[0] == "Anonymous:" {
				kb = -kb
			}
			total += kb << 10
		}
	}
	return total, s.Err()
}
