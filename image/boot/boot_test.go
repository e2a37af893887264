package boot_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"waymark/board"
	"waymark/image/boot"
)

// notes is a Machine that notes what it is to do, and fails where it is told.
type notes struct {
	done []string
	fail string
}

var errFail = errors.New("it failed")

func (n *notes) do(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	n.done = append(n.done, what)
	if what == n.fail {
		return errFail
	}
	return nil
}
func (n *notes) Mount(m boot.Mount) error { return n.do("mount %s", m.Target) }
func (n *notes) Node(m boot.Node) error   { return n.do("node %s", m.Path) }
func (n *notes) Link(m boot.Link) error   { return n.do("link %s", m.Path) }
func (n *notes) Set(m boot.Setting) error { return n.do("set %s=%s", m.Path, m.Value) }
func (n *notes) Load(m boot.Module) error {
	return n.do("load %s", strings.TrimSpace(m.Name+" "+m.Params))
}

func table() *boot.Table {
	return &boot.Table{
		Modules:  []boot.Module{{Name: "driver", Need: boot.Fatal}, {Name: "extra", Params: "x=1"}},
		Settings: []boot.Setting{{Path: "kernel/panic", Value: "1", Need: boot.Fatal}},
		Links:    []boot.Link{{Path: "/dev/fd"}},
		Nodes:    []boot.Node{{Path: "/dev/null", Need: boot.Fatal}, {Path: "/dev/kmsg"}},
		Mounts:   []boot.Mount{{Target: "/proc", Need: boot.Fatal}, {Target: "/sys/fs/bpf"}},
	}
}

func TestRun(t *testing.T) {
	all := "mount /proc, mount /sys/fs/bpf, node /dev/null, node /dev/kmsg, link /dev/fd, set kernel/panic=1, load driver, load extra x=1"
	for _, row := range []struct{ fail, done, noted, err string }{
		{"", all, "", ""},
		{"mount /proc", "mount /proc", "", "mount /proc: it failed"},
		{"mount /sys/fs/bpf", all, "mount /sys/fs/bpf: it failed", ""},
		{"node /dev/kmsg", all, "make node /dev/kmsg: it failed", ""},
		{"link /dev/fd", all, "link /dev/fd: it failed", ""},
		{"load driver", strings.TrimSuffix(all, ", load extra x=1"), "", "load module driver: it failed"},
		{"load extra x=1", all, "load module extra: it failed", ""},
	} {
		m, noted := &notes{fail: row.fail}, ""
		err := table().Run(m, func(err error) { noted += err.Error() })
		if got := strings.Join(m.done, ", "); got != row.done || noted != row.noted {
			t.Errorf("failing %q: did %s, noted %q", row.fail, got, noted)
		}
		if (err == nil) != (row.err == "") || err != nil && (err.Error() != row.err || !errors.Is(err, errFail)) {
			t.Errorf("failing %q: %v, want %q", row.fail, err, row.err)
		}
	}
}

// Whatever the board, the box denies before it can have an interface: what deny
// needs is fatal and comes before the board's drivers.
func TestBase(t *testing.T) {
	for _, b := range board.All() {
		m := &notes{}
		if err := boot.Base(b).Run(m, func(error) {}); err != nil {
			t.Fatal(err)
		}
		first := len(m.done)
		for _, mod := range b.Modules {
			first = min(first, slices.Index(m.done, "load "+mod.Name))
		}
		for _, need := range []string{"load nf_tables", "load nft_ct", "set net/ipv4/ip_forward=0"} {
			if i := slices.Index(m.done, need); i < 0 || i > first {
				t.Errorf("%s: %s is not before the drivers", b.Name, need)
			}
		}
		if m.done[0] != "mount /proc" {
			t.Errorf("%s: begins with %s", b.Name, m.done[0])
		}
	}
}

func TestParseArgs(t *testing.T) {
	for line, want := range map[string]boot.Args{
		"":                                {},
		"console=ttyS0 quiet panic=-1 ro": {},
		"waymark.report=ttyS1 waymark.drill waymark.watchdog=8s": {Report: "ttyS1", Drill: true, Watchdog: 8 * time.Second},
		"waymark.report=../mem waymark.watchdog=1ms":             {},
		"waymark.board=pc-x86_64 waymark.slot=b waymark.x=y=z":   {Board: "pc-x86_64", Slot: "b"},
	} {
		got := boot.ParseArgs(line)
		if strings.Contains(line, "y=z") && got.Words["x"] != "y=z" {
			t.Errorf("words: %v", got.Words)
		}
		got.Words = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
}
