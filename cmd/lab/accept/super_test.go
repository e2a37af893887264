package accept

import (
	"encoding/binary"
	"testing"

	"waymark/cmd/lab/world"
)

// superBytes is a length that only a super-packet of nearly 64 KB has.
const superBytes = "60000"

// With offloads on, hosts hand over segments of up to 64 KB. They are carried
// for both services, and the server gets large ones again.
func TestRow04SuperPackets(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for _, svc := range services {
		t.Run(svc.name, func(t *testing.T) {
			s := s.in(t)
			from, err := s.w.Capture(world.Branch, "lan0", "tcp and greater "+superBytes)
			s.must(err)
			p := s.connect(world.Client, s.listen(world.Server, svc.addr))
			if err := both(p, 21, 48<<20, 1<<20); err != nil {
				t.Error(err)
			}
			frames, err := from.Frames()
			s.must(err)
			up, down := 0, 0
			for _, f := range frames {
				src, _, _ := f.Addrs()
				if src.String() == "192.168.1.10" {
					up++
				} else {
					down++
				}
			}
			t.Logf("super-packets above %s bytes at the branch's LAN: %d from the client, %d to it", superBytes, up, down)
			if up == 0 {
				t.Error("the client sent none: nothing was tested")
			}
			if svc.name == "clear" && down == 0 {
				t.Error("clear data reaches the client in small pieces only")
			}
		})
	}
	s.noFragments("super-packets")
	for _, r := range []*world.Router{s.branch, s.hub} { // what was encrypted left as super-packets
		if st := s.stats(r); st["fast/in"] != 0 && (st["fast/cut"] < 1000 || st["fast/cut-lost"] != 0) {
			t.Errorf("%s: %v segments were cut by the kernel, %v lost", r.Run, st["fast/cut"], st["fast/cut-lost"])
		}
	}
}

// noFragments: none of the traffic so far was cut, neither by IP nor by us.
func (s *site) noFragments(what string) {
	s.Helper()
	for _, r := range []*world.Router{s.branch, s.hub} {
		st := s.stats(r)
		for _, name := range []string{"fragments/fabric-sent", "fragments/host-joined", "drop/too-big", "drop/fragment"} {
			if st[name] != 0 {
				s.Errorf("%s: %s = %d at %s, want 0", what, name, st[name], r.Run)
			}
		}
	}
}

// ipFragments counts the pieces of cut IPv4 packets among frames.
func ipFragments(frames []world.Frame) (n int) {
	for _, f := range frames {
		if b := f.IP(); len(b) >= 20 && b[0]>>4 == 4 && binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
			n++
		}
	}
	return n
}
