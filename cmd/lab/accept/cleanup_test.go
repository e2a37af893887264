package accept

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"waymark/cmd/lab/world"
)

// looks are the commands whose output must be the same before a router came and
// after it went. Lines are sorted; counters and ages are cut off.
var looks = map[string][]string{
	"addresses": {"ip", "-o", "address"},
	"links":     {"sh", "-c", "ip -o link | sed 's/ qlen [0-9]*//'"},
	"routes":    {"ip", "route", "show", "table", "all"},
	"ipv6":      {"sh", "-c", "ip -6 route show table all | sed 's/ expires [0-9]*sec//'"},
	"rules":     {"sh", "-c", "ip rule; ip -6 rule"},
	// What the kernel learned from hosts that spoke to it is no work of a router's.
	"neighbours": {"sh", "-c", "ip neigh | grep -e managed -e extern_learn -e PERMANENT; true"},
	"nftables":   {"nft", "list", "ruleset"},
	"qdiscs":     {"tc", "qdisc"},
	"filters":    {"sh", "-c", "for d in lan0 wan0 wan1; do tc filter show dev $d ingress; tc filter show dev $d egress; done 2>/dev/null; true"},
	"offloads":   {"sh", "-c", "for d in lan0 wan0 wan1; do ethtool -k $d; done 2>/dev/null; true"},
	"parameters": {"sh", "-c", "grep -r . /proc/sys/net 2>/dev/null; true"},
	"taps":       {"sh", "-c", "wc -l < /proc/net/packet"},
	// Listed first and named then: what lists them has ended.
	"processes": {"sh", "-c", "for p in $(ip netns pids $(ip netns identify $$)); do [ $p = $$ ] || cat /proc/$p/comm; done 2>/dev/null; true"},
}

// snapshot takes every look in the namespaces of both routers.
func (s *site) snapshot() map[string][]string {
	s.Helper()
	all := map[string][]string{}
	for _, ns := range []string{world.Branch, world.Hub} {
		for name, cmd := range looks {
			lines := strings.Split(strings.TrimSpace(s.exec(ns, cmd...)), "\n")
			slices.Sort(lines)
			all[ns+" "+name] = lines
		}
	}
	return all
}

// settle waits until the kernel has finished with the fresh links: each is up
// and has its link-local address.
func (s *site) settle() {
	s.Helper()
	for _, ns := range []string{world.Branch, world.Hub} {
		s.must(world.Until(patience, "link-local addresses in "+ns, func() (bool, error) {
			text := s.exec(ns, "ip", "-o", "link")
			links, up := strings.Count(text, "@if"), strings.Count(text, " state UP ")
			local := strings.Count(s.exec(ns, "ip", "-o", "-6", "address"), " fe80:")
			return local == links && up == links, nil
		}))
	}
}

// compare tells what two snapshots do not have in common.
func compare(before, after map[string][]string) (differ []string) {
	for name, was := range before {
		for _, line := range was {
			if !slices.Contains(after[name], line) {
				differ = append(differ, name+": gone: "+line)
			}
		}
		for _, line := range after[name] {
			if !slices.Contains(was, line) {
				differ = append(differ, name+": left: "+line)
			}
		}
	}
	return differ
}

// Traffic, then SIGTERM: the namespaces are as they were before. So they are
// when a router was killed in between and its successor is told to stop.
func TestRow01StopLeavesNothing(t *testing.T) {
	t.Parallel()
	outer := newWorld(t, world.Options{})
	outer.settle()
	before := outer.snapshot()
	for _, killed := range []bool{false, true} {
		name := "after SIGTERM"
		if killed {
			name = "after SIGKILL, a new start and SIGTERM"
		}
		t.Run(name, func(t *testing.T) {
			s := outer.in(t)
			s.startBoth(nil)
			if killed {
				s.must(s.branch.Kill())
				s.must(s.hub.Kill())
				s.startBoth(nil)
			}
			s.mixed()
			during := s.snapshot()
			for _, what := range []string{"branch nftables", "branch processes"} {
				if slices.Equal(during[what], before[what]) {
					t.Errorf("a running router shows no %s: the comparison sees nothing", what)
				}
			}
			s.stopped(s.branch)
			s.stopped(s.hub)
			var differ []string
			err := world.Until(patience, "everything as before", func() (bool, error) { // the kernel does some of it a moment later
				differ = compare(before, s.snapshot())
				return len(differ) == 0, nil
			})
			if err != nil {
				t.Errorf("%v:\n%s", err, strings.Join(differ, "\n"))
			}
		})
	}
}

// mixed sends something of every sort.
func (s *site) mixed() {
	s.Helper()
	for _, addr := range []string{"10.20.0.5:80", "10.20.0.80:8443", "[fd00:20::5]:80"} {
		p := s.connect(world.Client, s.listen(world.Server, addr))
		s.must(both(p, 31, 100_000, 4096))
	}
	s.must(both(s.connect(world.Client, s.listen(world.Internet, "192.0.2.10:80")), 33, 100_000, 4096))
	s.exec(world.Client, "ping", "-n", "-c", "2", "-W", "5", "-i", "0.1", "10.20.0.5")
}

// stopped sends SIGTERM and looks at how the router ends.
func (s *site) stopped(r *world.Router) {
	s.Helper()
	pid := r.PID()
	s.must(r.Signal(syscall.SIGTERM))
	select {
	case <-r.Done():
	case <-time.After(patience):
		s.Fatalf("%s does not end on SIGTERM", r.Name)
	}
	if code := r.ExitCode(); code != 0 {
		s.Errorf("exit code of a stopped router: got %d, want 0\n%s", code, r.Output())
	}
	if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); err == nil {
		s.Errorf("process %d is still there", pid)
	}
	if socks, _ := filepath.Glob(filepath.Join(r.Run, "*.sock")); len(socks) > 0 {
		s.Errorf("left behind: %v", socks)
	}
}
