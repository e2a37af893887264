package accept

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"waymark/cmd/lab/emulate"
	"waymark/cmd/lab/world"
	"waymark/svr/packet"
)

// formBytes is what each TCP conversation of these tests carries each way.
const formBytes = 1 << 20

// way is a client, a server and the server's addresses to try.
type way struct {
	from, to string
	tcp, udp []string // "ADDRESS:PORT"
	ping     []string
}

// travel uses a way for everything that it names.
func (s *site) travel(w way) {
	s.Helper()
	for i, addr := range w.tcp {
		l := s.listen(w.to, addr)
		if err := both(s.connect(w.from, l), uint64(60+i), formBytes, 8000); err != nil {
			s.Errorf("tcp %s: %v", addr, err)
		}
		l.Close()
	}
	for _, addr := range w.udp {
		server, client := s.socket(w.to, addr), s.dial(w.from, "udp", addr)
		for i, size := range []int{1, 500, 1200, 1300} {
			text := freight(uint64(i+90), size)
			got, err := echoed(client, server, text)
			if err != nil || !bytes.Equal(got, text) {
				s.Errorf("udp %s, %d bytes: %d came back, %v", addr, size, len(got), err)
			}
		}
		server.Close()
	}
	for _, dst := range w.ping {
		if out, err := s.w.Exec(w.from, "ping", "-n", "-c", "4", "-i", "0.05", "-s", "900", "-W", "5", dst); err != nil {
			s.Errorf("ping %s: %v\n%s", dst, err, out)
		}
	}
}

// acmeWays are the ways of acme.json between client and server.
var acmeWays = []way{
	{from: world.Client, to: world.Server,
		tcp:  []string{"10.20.0.5:5001", "10.20.0.80:8443", "[fd00:20::5]:5001"},
		udp:  []string{"10.20.0.5:4000", "[fd00:20::5]:4000"},
		ping: []string{"10.20.0.5", "fd00:20::5"}},
	{from: world.Server, to: world.Client, tcp: []string{"192.168.1.10:5001"}, udp: []string{"192.168.1.10:4000"},
		ping: []string{"192.168.1.10"}},
}

func (s *site) travelAll(ways []way) {
	s.Helper()
	for _, w := range ways {
		s.travel(w)
	}
}

func TestFormTraceroute(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for _, row := range []struct{ first, last string }{{"192.168.1.1", "10.20.0.5"}, {"fd00:1::1", "fd00:20::5"}} {
		out := s.exec(world.Client, "traceroute", "-n", "-q", "1", "-w", "5", "-m", "8", row.last)
		var hops []string
		for _, line := range strings.Split(out, "\n") {
			if f := strings.Fields(line); len(f) > 1 && f[0] == strconv.Itoa(len(hops)+1) {
				hops = append(hops, f[1])
			}
		}
		t.Log(strings.Join(hops, " > "))
		if len(hops) < 3 || hops[0] != row.first || hops[len(hops)-1] != row.last {
			t.Errorf("want a way from %s over the hub to %s:\n%s", row.first, row.last, out)
		}
	}
}

// Always-transform on the fiber: everything between the routers is UDP.
func TestFormUDPTransform(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmeWith(t, bothWaysSecret, func(a tree) {
		a.at(branchWan + "/neighborhood/isp-fiber")["udp-transform"] = tree{"mode": "always-transform"}
	}))
	c, err := s.w.Capture(world.ISPFiber, "branch")
	s.must(err)
	s.travelAll(acmeWays)
	s.travel(way{from: world.Client, to: world.Server, tcp: []string{"10.20.0.80:9443"}})
	frames, err := c.Frames()
	s.must(err)
	udp := 0
	for _, o := range between(dissect(t, frames), branchWAN, hubWAN) {
		switch o.proto {
		case packet.ProtoTCP:
			t.Fatalf("%v: TCP between the routers", o)
		case packet.ProtoUDP:
			udp += (len(o.ip) + 1499) / 1500 // a super-packet stands for many
		}
	}
	t.Logf("%d UDP datagrams between the routers, no TCP", udp)
	if udp < 1000 {
		t.Errorf("%d UDP datagrams between the routers: too few", udp)
	}
}

// lanVLAN is the tag of the branch's LAN in this variant.
const lanVLAN = 100

// The branch's LAN is VLAN 100 on lan0, tagged by the router itself; a switch
// takes the tag off for the client.
func TestFormVLAN(t *testing.T) {
	t.Parallel()
	s := newWorld(t, world.Options{})
	middle, trunk, port, err := s.w.SplitCable(world.Branch, "lan0")
	s.must(err)
	_, err = emulate.Switch(s.w, middle, trunk, emulate.Port{Dev: port, VLAN: lanVLAN})
	s.must(err)
	s.startBoth(acmeWith(t, func(a tree) { a.at(branchLan)["vlan"] = lanVLAN }))
	c, err := s.w.Capture(world.Branch, "lan0")
	s.must(err)
	s.travelAll(acmeWays)
	frames, err := c.Frames()
	s.must(err)
	tagged, plain := 0, 0
	for _, f := range frames {
		switch {
		case len(f.Data) > 18 && binary.BigEndian.Uint16(f.Data[12:]) == world.EtherVLAN &&
			binary.BigEndian.Uint16(f.Data[14:])&0xfff == lanVLAN:
			tagged++
		case f.IP() != nil:
			if src, dst, ok := f.Addrs(); ok && !src.IsLinkLocalUnicast() && !dst.IsMulticast() {
				plain++
			}
		}
	}
	t.Logf("%d frames in VLAN %d, %d untagged", tagged, lanVLAN, plain)
	if tagged < 1000 || plain != 0 {
		t.Errorf("got %d frames with the tag and %d without, want all with it", tagged, plain)
	}
	if out := s.exec(world.Branch, "ip", "-o", "link", "show", "type", "vlan"); strings.TrimSpace(out) != "" {
		t.Errorf("the kernel has VLAN devices:\n%s", out)
	}
}

// Waypoints of the IPv6 variant.
const (
	branchWAN6 = "2001:db8:f::2"
	hubWAN6    = "2001:db8:e::2"
)

// IPv6 waypoints: sessions of both families travel in IPv6.
func TestFormIPv6WAN(t *testing.T) {
	t.Parallel()
	s := newWorld(t, world.Options{})
	s.must(s.w.IP(world.ISPFiber, "address add 2001:db8:f::1/64 dev branch nodad", "address add 2001:db8:e::1/64 dev hub nodad"))
	s.must(s.w.SetSysctls(world.ISPFiber, "net/ipv6/conf/all/forwarding=1"))
	s.startBoth(acmeWith(t, func(a tree) {
		a.at(branchWan)["address"] = []any{tree{"ip-address": branchWAN6, "prefix-length": 64, "gateway": "2001:db8:f::1"}}
		a.at(hubWan)["address"] = []any{tree{"ip-address": hubWAN6, "prefix-length": 64, "gateway": "2001:db8:e::1"}}
	}))
	c, err := s.w.Capture(world.ISPFiber, "branch", "ip6")
	s.must(err)
	s.travelAll(acmeWays)
	s.tooLong("10.20.0.5:4001") // the IPv6 header is 20 bytes longer
	frames, err := c.Frames()
	s.must(err)
	n := len(between(dissect(t, frames), branchWAN6, hubWAN6))
	t.Logf("%d packets between the IPv6 waypoints", n)
	if n < 1000 {
		t.Errorf("%d packets between the IPv6 waypoints: too few", n)
	}
}

// Two hosts of the branch speak over the branch's public address: each has
// learned its own mapping from a server outside, as calls and games do.
func TestFormHairpin(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.must(s.w.IP(world.Client, "address add 192.168.1.11/24 dev eth0"))
	outside := s.socket(world.Internet, "192.0.2.10:3478")
	a, b := s.socket(world.Client, "192.168.1.10:6000"), s.socket(world.Client, "192.168.1.11:6000")
	seenA, seenB := s.mapping(a, outside), s.mapping(b, outside)
	t.Logf("192.168.1.10:6000 is seen as %v, 192.168.1.11:6000 as %v", seenA, seenB)
	for _, m := range []netip.AddrPort{seenA, seenB} {
		if m.Addr().String() != branchWAN || m.Port() < 2048 || m.Port() > 9999 {
			t.Errorf("mapping %v: want %s and a port in 2048-9999", m, branchWAN)
		}
	}
	s.says(a, seenB, b, seenA)
	s.says(b, seenA, a, seenB)
	s.says(a, seenB, b, seenA)
}

// mapping is how a server outside sees a socket.
func (s *site) mapping(c, outside *net.UDPConn) netip.AddrPort {
	s.Helper()
	_, err := c.WriteTo([]byte("who am I?"), outside.LocalAddr())
	s.must(err)
	buf := make([]byte, 100)
	_, from, err := outside.ReadFromUDPAddrPort(buf)
	s.must(err)
	_, err = outside.WriteToUDPAddrPort([]byte(from.String()), from)
	s.must(err)
	n, _, err := c.ReadFrom(buf)
	s.must(err)
	if string(buf[:n]) != from.String() {
		s.Errorf("answer from outside: got %q, want %v", buf[:n], from)
	}
	return netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

// says sends from one host to the other's public mapping; it arrives with the
// sender's public mapping.
func (s *site) says(from *net.UDPConn, to netip.AddrPort, at *net.UDPConn, seen netip.AddrPort) {
	s.Helper()
	text := "hello " + to.String()
	_, err := from.WriteToUDPAddrPort([]byte(text), to)
	s.must(err)
	s.must(at.SetReadDeadline(deadline()))
	buf := make([]byte, 100)
	n, src, err := at.ReadFromUDPAddrPort(buf)
	if err != nil || string(buf[:n]) != text || netip.AddrPortFrom(src.Addr().Unmap(), src.Port()) != seen {
		s.Errorf("hairpin: got %q from %v, %v; want %q from %v", buf[:n], src, err, text, seen)
	}
}
