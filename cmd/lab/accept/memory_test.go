package accept

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
)

// mostMemory is row 12: the cpe profile, all told, in bytes.
const mostMemory = 40_000_000

// pageSlack is how much the two ways of counting may differ: the process goes
// on while it is looked at, and the kernel's own counters lag by a batch of
// pages per processor.
const pageSlack = 1 << 20

// Traffic of every sort, then what the router says of its memory, and what the
// kernel says of the router.
func TestRow12CPEFitsInMemory(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmeWith(t, bothWaysSecret), "-profile", "cpe")
	for i, tr := range transfers {
		p := s.connect(tr.from, s.listen(tr.to, tr.addr))
		s.must(both(p, uint64(i)+700, 4<<20, 64<<10))
	}
	server := s.socket(world.Server, "10.20.0.5:4000")
	for i := range 200 {
		_, err := echoed(s.dial(world.Client, "udp", "10.20.0.5:4000"), server, datagram(i))
		s.must(err)
	}
	for name, r := range map[string]*world.Router{"branch1": s.branch, "hub1": s.hub} {
		var told pool
		var anon, file, maps, counted int
		alike := func() (bool, error) { // looked at one after the other: the process may grow or shrink in between
			told = s.capacity(r, "memory")
			anon, file, maps = memoryOf(t, r.PID())
			counted = anon + file + maps
			return counted-told.Entries <= pageSlack && told.Entries-counted <= pageSlack, nil
		}
		if err := world.Until(patience, "the same memory told and counted", alike); err != nil {
			t.Errorf("%s: %v: show capacity says %d bytes, the kernel %d", name, err, told.Entries, counted)
		}
		t.Logf("%s: show capacity says %.1f MB (highest %.1f, of %.1f); the kernel: %.1f RssAnon + %.1f file and shmem without text + %.1f BPF maps not mapped = %.1f",
			name, float64(told.Entries)/1e6, float64(told.Highest)/1e6, float64(told.Capacity)/1e6,
			float64(anon)/1e6, float64(file)/1e6, float64(maps)/1e6, float64(counted)/1e6)
		if told.Highest > mostMemory || counted > mostMemory {
			t.Errorf("%s: %d bytes told, %d counted, want %d at most", name, told.Highest, counted, mostMemory)
		}
	}
}

// memoryOf counts RssAnon, file- and shmem-backed pages other than
// the binary's text, and BPF maps that are not mapped; each page once.
func memoryOf(t *testing.T, pid int) (anon, file, maps int) {
	t.Helper()
	anon = statusKB(t, pid, "RssAnon") << 10
	file = (statusKB(t, pid, "RssFile") + statusKB(t, pid, "RssShmem")) << 10
	return anon, file - textPages(t, pid), bpfMaps(t, pid)
}

// textPages are the resident file pages of executable mappings.
func textPages(t *testing.T, pid int) (bytes int) {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) >= 6 && strings.Contains(words[0], "-"):
			text = words[1] == "r-xp" && strings.HasPrefix(words[5], "/")
		case len(words) == 5 && strings.Contains(words[0], "-"):
			text = false
		case text && words[0] == "Rss:":
			bytes += kilo(t, words[1])
		case text && words[0] == "Anonymous:":
			bytes -= kilo(t, words[1])
		}
	}
	return bytes
}

func kilo(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// bpfMaps is the memory of the BPF maps that the process holds open, without
// those that are mapped into it: their pages are counted there.
func bpfMaps(t *testing.T, pid int) (bytes int) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fdinfo", pid)
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	const mmapable = 0x400 // BPF_F_MMAPABLE
	for _, e := range list {
		b, err := os.ReadFile(dir + "/" + e.Name())
		if err != nil || !strings.Contains(string(b), "map_type:") {
			continue // closed meanwhile, or no map
		}
		size, flags := 0, 0
		for _, line := range strings.Split(string(b), "\n") {
			name, value, _ := strings.Cut(line, ":")
			switch value = strings.TrimSpace(value); name {
			case "memlock":
				size, _ = strconv.Atoi(value)
			case "map_flags":
				n, _ := strconv.ParseInt(value, 0, 64)
				flags = int(n)
			}
		}
		if flags&mmapable == 0 {
			bytes += size
		}
	}
	return bytes
}
