package fast_test

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/net/netns/nstest"
	"waymark/svr/lane/fast"
	"waymark/svr/lane/fast/fasttest"
	"waymark/svr/lane/lanetest/gen"
	"waymark/svr/packet"
)

// inject sends frames out of an interface as they are.
func inject(t *testing.T, ns string, index int, frames ...[]byte) {
	t.Helper()
	nstest.In(t, ns, func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
			return err
		}
		for _, f := range frames {
			if _, err := unix.Write(fd, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// await polls until cond holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestNotes: hits towards an interface that takes no XDP frames go up and are
// forwarded by TC; misses go up and are punted; each is counted once.
func TestNotes(t *testing.T) {
	row := fasttest.NewRow(t)
	gen.Ethtool(t, row.Server, "s0", gen.EthtoolSGRO, 1)
	sink := fasttest.Programs(t, nil, "tc_sink")
	sink.TC(row.Server, row.S0.Index, "tc_sink")
	w := &world{t: t, ns: row.Router}
	w.open(fast.Config{})
	r := &relay{w: w}
	r.start(t, row)
	w.connect(row, true)
	w.in(func() error {
		return w.lane.SetNetif(2, fast.NetifConfig{Index: row.A1.Index, MAC: row.A1.MAC, MTU: 1500})
	})
	hit := tuple(packet.ProtoUDP, "10.1.0.2:4000", "10.2.0.2:5001")
	slot, _ := w.session(hit, tuple(packet.ProtoUDP, "10.2.0.1:16386", "10.2.0.2:5001"), fast.Fast|1500)
	miss := tuple(packet.ProtoUDP, "10.1.0.2:4001", "10.2.0.2:5001")
	send := func(f frame, n int) {
		f.ttl = 64
		b := link(row.A0.MAC, row.C0.MAC, 0, 4, f.ip())
		for range n {
			inject(t, row.Client, row.C0.Index, b)
		}
	}
	send(frame{t: hit}, 50)
	send(frame{t: miss}, 30)
	send(frame{t: hit, payload: cookie}, 20)
	await(t, "punted packets", func() bool { return r.count(fast.PuntMiss) == 30 && r.count(fast.PuntControl) == 20 })
	await(t, "forwarded packets", func() bool { return sink.Count(fasttest.Got) == 70 }) // the relay sends the control ones
	c := w.counters()
	if c.TC != 50 || c.XDP != 0 || c.Reason[fast.PuntMiss] != 30 || c.Reason[fast.PuntControl] != 20 {
		t.Errorf("counters %+v", c)
	}
	if r.wrong != 0 {
		t.Errorf("%d packets in the wrong queue", r.wrong)
	}
	if packets, _, _, _ := w.table.Counters(slot); packets != 50 {
		t.Errorf("slot counted %d packets, want 50", packets)
	}
}

// TestHostAndCopies: the host behind the lane lives; what may be either's is
// copied to Go and passed.
func TestHostAndCopies(t *testing.T) {
	row := fasttest.NewRow(t)
	w := &world{t: t, ns: row.Router}
	w.open(fast.Config{})
	r := &relay{w: w}
	r.start(t, row)
	w.connect(row, false)
	w.in(func() error {
		if err := w.lane.SetOwn(netip.MustParseAddr("fd01::1"), fast.Own{}); err != nil {
			return err
		}
		return w.lane.SetOwn(netip.MustParseAddr("10.1.0.1"), fast.Own{Waypoint: true})
	})
	fasttest.Run(t, row.Client, "ip neigh flush dev c0 nud permanent") // so that ARP and ND must pass, too
	fasttest.Run(t, row.Client, "ping -c 2 -i 0.05 -W 2 10.1.0.1")
	fasttest.Run(t, row.Client, "ping -c 2 -i 0.05 -W 2 fd01::1")
	errorToUs := icmp(tuple(packet.ProtoUDP, "10.1.0.2:1", "10.1.0.1:1"), 3)
	inject(t, row.Client, row.C0.Index, link(row.A0.MAC, row.C0.MAC, 0, 4, errorToUs))
	await(t, "the copy", func() bool { return r.count(fast.PuntProto) == 1 })
	c := w.counters()
	if c.Copied != 1 || c.Punted() != 0 || c.In != c.Host() {
		t.Errorf("counters %+v", c)
	}
}

// TestVLAN: TC takes tags off and puts them on; an unknown tag is the kernel's,
// ARP on a tag that Go answers is punted.
func TestVLAN(t *testing.T) {
	row := fasttest.NewRow(t)
	sink := fasttest.Programs(t, nil, "tc_sink")
	sink.TC(row.Server, row.S0.Index, "tc_sink")
	w := &world{t: t, ns: row.Router}
	w.open(fast.Config{})
	r := &relay{w: w}
	r.start(t, row)
	w.connect(row, false)
	w.in(func() error {
		if err := w.lane.SetVLAN(row.A0.Index, 30, 3, true); err != nil {
			return err
		}
		w.lane.SetHop(4, row.S0.MAC, 4)
		return w.lane.SetNetif(4, fast.NetifConfig{Index: row.A1.Index, MAC: row.A1.MAC, VLAN: 40, MTU: 1500})
	})
	f := frame{t: tuple(packet.ProtoUDP, "10.1.0.2:4000", "10.2.0.2:5001"), ttl: 64}
	to := tuple(packet.ProtoUDP, "10.2.0.1:16386", "10.2.0.2:5001")
	w.insert(f.t, 1, to, 4, fast.Fast|1500)
	w.insert(f.t, 3, to, 4, fast.Fast|1500)
	for range 10 {
		for _, tag := range []uint16{0, 30, 31} {
			inject(t, row.Client, row.C0.Index, link(row.A0.MAC, row.C0.MAC, tag, 4, f.ip()))
		}
	}
	await(t, "tagged packets", func() bool { return sink.Count(fasttest.Got) == 20 })
	arp := link([6]byte{255, 255, 255, 255, 255, 255}, row.C0.MAC, 30, 4, make([]byte, 28))
	arp[17] = 6
	inject(t, row.Client, row.C0.Index, arp)
	await(t, "ARP", func() bool { return r.count(fast.PuntStation) == 1 })
	if c := w.counters(); c.TC != 20 || sink.Count(fasttest.Tags) != 20*40 || c.Reason[fast.HostProto] < 10 {
		t.Errorf("counters %+v", c)
	}
}

// TestTun: a device without link header as ingress and as egress, to and from
// Ethernet, and its punt.
func TestTun(t *testing.T) {
	row := fasttest.NewRow(t)
	w := &world{t: t, ns: row.Router}
	w.open(fast.Config{})
	r := &relay{w: w}
	r.start(t, row)
	w.connect(row, false)
	var fd int
	w.in(func() (err error) {
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK, 0); err != nil {
			return err
		}
		ifr, err := unix.NewIfreq("tun7")
		if err != nil {
			return err
		}
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	})
	defer unix.Close(fd)
	fasttest.Run(t, row.Router, "ip link set tun7 up")
	tun := gen.Link(t, row.Router, "tun7")
	sink := fasttest.Programs(t, nil, "tc_sink")
	sink.TC(row.Server, row.S0.Index, "tc_sink")
	w.in(func() error {
		if err := w.lane.SetNetif(7, fast.NetifConfig{Index: tun.Index, L3: true, MTU: 1500}); err != nil {
			return err
		}
		w.lane.SetHop(7, [6]byte{}, 7)
		return w.lane.Attach(fast.PortConfig{Index: tun.Index, L3: true, Untagged: 7})
	})
	for _, fam := range []uint8{4, 6} {
		t.Run(fmt.Sprint("to ", fam), func(t *testing.T) {
			in := frame{t: tuple(packet.ProtoUDP, addrs[fam][0], addrs[fam][1]), ttl: 64, payload: make([]byte, 100)}
			to4 := tuple(packet.ProtoUDP, "10.2.0.1:16386", "10.2.0.2:5001")
			to := tuple(packet.ProtoUDP, addrs[fam][2], addrs[fam][3])
			w.insert(in.t, 7, to4, 1, fast.Fast|1500) // tun to Ethernet
			w.insert(in.t, 1, to, 7, fast.Fast|1500)  // and back, with and without exchange
			before := sink.Count(fasttest.Got)
			if _, err := unix.Write(fd, in.ip()); err != nil {
				t.Fatal(err)
			}
			await(t, "the packet behind the tun", func() bool { return sink.Count(fasttest.Got) == before+1 })
			inject(t, row.Client, row.C0.Index, link(row.A0.MAC, row.C0.MAC, 0, fam, in.ip()))
			want := readdressed(t, in.ip(), to)
			await(t, "the packet in the tun", func() bool { return readTun(fd, want) })
		})
	}
	lost := frame{t: tuple(packet.ProtoUDP, "10.1.0.77:1", "10.2.0.2:5001"), ttl: 64}
	if _, err := unix.Write(fd, lost.ip()); err != nil {
		t.Fatal(err)
	}
	await(t, "the miss", func() bool { return r.count(fast.PuntMiss) >= 1 })
	// An answer to our echo is the host's or the lane's: both get it.
	fasttest.Run(t, row.Router, "ip address add 10.9.0.1/32 dev tun7")
	w.in(func() error { return w.lane.SetOwn(netip.MustParseAddr("10.9.0.1"), fast.Own{Breakout: true}) })
	reply := []byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0x66, 0xcd, 10, 9, 0, 2, 10, 9, 0, 1, 0, 0, 0xff, 0xfe, 0, 1, 0, 0}
	if _, err := unix.Write(fd, reply); err != nil {
		t.Fatal(err)
	}
	await(t, "the lane's copy", func() bool { return r.count(fast.PuntProto) == 1 })
	await(t, "the host's copy", func() (got bool) {
		w.in(func() error {
			b, err := os.ReadFile("/proc/thread-self/net/snmp")
			got = icmpReplies(string(b)) == "1"
			return err
		})
		return got
	})
}

// icmpReplies is IcmpInEchoReps of the kernel's counters.
func icmpReplies(snmp string) string {
	var names []string
	for line := range strings.Lines(snmp) {
		f := strings.Fields(line)
		if f[0] != "Icmp:" {
			continue
		}
		if names == nil {
			names = f
		} else if i := slices.Index(names, "InEchoReps"); i > 0 && i < len(f) {
			return f[i]
		}
	}
	return ""
}

// readTun reads what waits and tells whether want was among it.
func readTun(fd int, want []byte) bool {
	b := make([]byte, 2048)
	for {
		n, err := unix.Read(fd, b)
		if err != nil {
			return false
		}
		if string(b[:n]) == string(want) {
			return true
		}
	}
}
