package accept

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"waymark/cmd/lab/world"
	"waymark/svr/packet"
)

// The port-range that hub1 gives its peers on the fiber in acme.json.
const firstHubPort, lastHubPort = 20000, 20999

// What the world calls private, as headers hold it.
var privateNets = []netip.Prefix{
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
}

// Addresses in use behind the routers: no metadata and no ICMP error may show them.
var insideAddrs = []string{"192.168.1.10", "192.168.1.1", "10.20.0.5", "10.20.0.80", "10.20.0.1",
	"fd00:1::10", "fd00:1::1", "fd00:20::5", "fd00:20::1"}

// names of acme.json that metadata carries, or could.
var secretNames = []string{"corp", "guest", "datacenter", "payroll", "branch1", "hub1", "branch-lan",
	"internal", "fiber-then-lte", "acme", "node1"}

func TestRow02BystanderOnTheISPLink(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	tr := newTour(s)
	links := map[string][]world.Frame{"branch's link": tr.branchLink, "hub's link": tr.hubLink}
	for name, frames := range links {
		t.Run(name, func(t *testing.T) {
			list := dissect(t, frames)
			t.Run("no private address", func(t *testing.T) { noPrivateAddress(t, frames, list) })
			t.Run("no frame above 1500", func(t *testing.T) { noLongFrame(t, list) })
			t.Run("wayports", func(t *testing.T) { tr.wayports(t, svr(list)) })
			t.Run("metadata on first packets only", func(t *testing.T) { firstOnly(t, svr(list)) })
			t.Run("names unreadable", func(t *testing.T) { tr.unreadable(t, frames, list) })
			t.Run("clear readable", func(t *testing.T) { tr.readable(t, svr(list)) })
			t.Run("encrypted unreadable", func(t *testing.T) { tr.sealed(t, frames) })
		})
	}
	if t.Failed() {
		keepCapture(t, tr.files)
	}
}

// keepCapture saves captures of a failed test, if $WAYMARK_KEEP names a folder.
func keepCapture(t *testing.T, files []string) {
	dir := os.Getenv("WAYMARK_KEEP")
	if dir == "" {
		t.Log("set WAYMARK_KEEP to a folder to keep the captures")
		return
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(f)), data, 0o644)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func isPrivate(a netip.Addr) bool {
	for _, p := range privateNets {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// noPrivateAddress looks at every header: Ethernet's ARP, IP, and what ICMP quotes.
func noPrivateAddress(t *testing.T, frames []world.Frame, list []*outer) {
	for _, o := range list {
		if isPrivate(o.src.Addr()) || isPrivate(o.dst.Addr()) {
			t.Errorf("%v", o)
		}
	}
	for n, f := range frames {
		if b := f.Data; len(b) >= 42 && b[12] == 0x08 && b[13] == 0x06 {
			for _, at := range []int{28, 38} {
				if a := netip.AddrFrom4([4]byte(b[at:])); isPrivate(a) {
					t.Errorf("frame %d: ARP about %v", n+1, a)
				}
			}
		}
	}
	noInsideBytes(t, list)
}

// noInsideBytes searches for inside addresses, as bytes, in what is no host's
// payload: whole ICMP packets, and metadata with its headers.
func noInsideBytes(t *testing.T, list []*outer) {
	errors, metadata := 0, 0
	for _, o := range list {
		b := o.ip
		switch {
		case o.icmp:
			errors++
		case o.meta != nil:
			metadata++
			b = b[:len(b)-len(o.data())]
		default:
			b = b[:len(b)-len(o.payload)]
		}
		for _, text := range insideAddrs {
			if raw := netip.MustParseAddr(text).AsSlice(); bytes.Contains(b, raw) {
				t.Errorf("%v holds %s", o, text)
			}
		}
	}
	if metadata == 0 || errors == 0 {
		t.Errorf("%d packets with metadata and %d ICMP errors were looked at, want some of both", metadata, errors)
	}
	t.Logf("%d packets: %d with metadata, %d ICMP", len(list), metadata, errors)
}

func noLongFrame(t *testing.T, list []*outer) {
	longest := 0
	for _, o := range list {
		longest = max(longest, len(o.ip))
		if len(o.ip) > 1500 {
			t.Errorf("%v", o)
		}
	}
	t.Logf("longest packet: %d bytes", longest)
	if longest < 1400 {
		t.Errorf("longest packet %d bytes: nothing tried the limit", longest)
	}
}

// wayports: whoever opens a session towards its peer has the even port, the
// peer the odd one; towards the hub it lies inside the hub's port-range.
func (tr *tour) wayports(t *testing.T, list []*outer) {
	toHub, toBranch := 0, 0
	for f, packets := range byFlow(list) {
		first := packets[0]
		if first.src.Port()%2 != 0 || first.dst.Port()%2 != 1 {
			t.Errorf("%v: want an even port at the initiator, an odd one at its peer", first)
		}
		if _, ok := tr.opened[first.src]; !ok && first.proto == packet.ProtoTCP {
			t.Errorf("%v: neither router shows a session that begins so", first)
		}
		switch first.dst.Addr().String() {
		case hubWAN:
			toHub++
			if p := first.dst.Port(); p < firstHubPort || p > lastHubPort {
				t.Errorf("%v: want a port in %d-%d at the hub", first, firstHubPort, lastHubPort)
			}
		case branchWAN:
			toBranch++
		}
		for _, p := range []uint16{f.a.Port(), f.b.Port()} {
			if p < 16385 || p > 65533 {
				t.Errorf("%v: %d is no wayport", first, p)
			}
		}
	}
	t.Logf("sessions opened towards the hub: %d, towards the branch: %d", toHub, toBranch)
	if toHub < 7 || toBranch < 1 {
		t.Errorf("got %d sessions towards the hub and %d towards the branch, want 7 and 1 at least", toHub, toBranch)
	}
}

// firstOnly: in each direction of a session, metadata stands on the first
// packets, and once a bare one has passed it never comes again.
func firstOnly(t *testing.T, list []*outer) {
	for f, packets := range byFlow(list) {
		bare, with := map[netip.AddrPort]int{}, map[netip.AddrPort]int{}
		for _, o := range packets {
			switch {
			case o.control(): // no packet of the session: a router's own word
			case o.meta == nil:
				bare[o.src]++
			case bare[o.src] > 0:
				t.Errorf("%v: metadata behind %d bare packets", o, bare[o.src])
			default:
				with[o.src]++
			}
		}
		if with[f.a] == 0 && with[f.b] == 0 {
			t.Errorf("%v: no metadata at all", packets[0])
		}
		for _, end := range []netip.AddrPort{f.a, f.b} {
			if with[end] > 64 {
				t.Errorf("%v: %d packets with metadata from %v", packets[0], with[end], end)
			}
		}
	}
}

// unreadable: no name of the configuration stands on the wire, nor an address
// inside the payload of metadata.
func (tr *tour) unreadable(t *testing.T, frames []world.Frame, list []*outer) {
	for _, name := range secretNames {
		if n := holding(frames, []byte(name)); n > 0 {
			t.Errorf("%q is readable in %d frames", name, n)
		}
	}
	for _, o := range list {
		if o.meta == nil {
			continue
		}
		sealed := o.payload[o.meta.Len : o.meta.Len+o.meta.PayloadLen]
		for _, text := range insideAddrs {
			if bytes.Contains(sealed, netip.MustParseAddr(text).AsSlice()) || bytes.Contains(sealed, []byte(text)) {
				t.Errorf("%v: metadata shows %s", o, text)
			}
		}
	}
}

// readable: the clear service is carried byte for byte.
func (tr *tour) readable(t *testing.T, list []*outer) {
	var streams [][]byte
	for _, packets := range byFlow(list) {
		first := packets[0]
		if first.proto == packet.ProtoTCP {
			streams = append(streams, stream(packets, first.src), stream(packets, first.dst))
		}
	}
	for i, texts := range tr.open {
		for d, text := range texts {
			if !found(streams, text) {
				t.Errorf("clear conversation %d, direction %d: its %d bytes are not on the wire as they were sent", i, d, len(text))
			}
		}
	}
	var datagrams [][]byte
	for _, o := range list {
		if o.proto == packet.ProtoUDP {
			datagrams = append(datagrams, o.data())
		}
	}
	for _, text := range tr.datagram {
		if !found(datagrams, text) {
			t.Errorf("datagram of %d bytes is not on the wire as it was sent", len(text))
		}
	}
}

func found(list [][]byte, want []byte) bool {
	for _, b := range list {
		if bytes.Equal(b, want) {
			return true
		}
	}
	return false
}

// sealed: no 16 bytes of what payroll carried are on the wire.
func (tr *tour) sealed(t *testing.T, frames []world.Frame) {
	for _, text := range tr.secret {
		for at := 0; at+16 <= len(text); at += 1009 {
			if n := holding(frames, text[at:at+16]); n > 0 {
				t.Errorf("payroll's %s at %d is readable in %d frames", hex.EncodeToString(text[at:at+16]), at, n)
			}
		}
	}
	// The same search finds what is open, so it would have found that.
	if text := tr.open[0][0]; holding(frames, text[2000:2016]) == 0 {
		t.Error("the search does not even find clear text")
	}
}
