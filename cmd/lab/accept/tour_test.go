package accept

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"waymark/cmd/lab/world"
	"waymark/svr/packet"
)

// Public addresses of acme.json: what a bystander may see.
const (
	branchWAN = "203.0.113.2"
	hubWAN    = "198.51.100.2"
)

// tourBytes is what each TCP conversation of the tour carries in each direction.
const tourBytes = 200_000

// tour is one capture of everything that acme.json carries over the fiber.
type tour struct {
	*site
	branchLink []world.Frame // ISP's end of the branch's link
	hubLink    []world.Frame // and of the hub's
	files      []string      // the captures of both

	seed     uint64
	opened   map[netip.AddrPort]string // outer source of an initiator: service
	open     [][2][]byte               // of each clear TCP conversation: what went up and down
	secret   [][]byte                  // what payroll carried
	datagram [][]byte                  // what clear UDP carried
}

// newTour drives all sorts of traffic over acme.json unmodified. Offloads are
// off on the two ISP links, on everywhere else.
func newTour(s *site) *tour {
	s.Helper()
	tr := &tour{site: s, opened: map[netip.AddrPort]string{}}
	s.must(s.w.PlainLink(world.Branch, "wan0"))
	s.must(s.w.PlainLink(world.Hub, "wan0"))
	var captures []*world.Capture
	for _, dev := range []string{"branch", "hub"} {
		c, err := s.w.Capture(world.ISPFiber, dev)
		s.must(err)
		captures = append(captures, c)
		tr.files = append(tr.files, c.File)
	}
	tr.converse()
	tr.noteSessions(s.branch)
	tr.noteSessions(s.hub)
	tr.finish(captures)
	return tr
}

func (tr *tour) converse() {
	tr.tcp(world.Client, world.Server, "10.20.0.5:80", false)
	tr.tcp(world.Client, world.Server, "10.20.0.80:8443", true)
	tr.tcp(world.Client, world.Server, "[fd00:20::5]:80", false)
	tr.tcp(world.Server, world.Client, "192.168.1.10:7000", false) // opened from behind the hub
	tr.tcp(world.Client, world.Internet, "192.0.2.10:80", false)   // breakout
	tr.udp("10.20.0.5:53")
	tr.udp("[fd00:20::5]:4000")
	tr.refused("10.20.0.5:9")
	for _, dst := range []string{"10.20.0.5", "fd00:20::5"} {
		tr.exec(world.Client, "ping", "-n", "-c", "5", "-i", "0.05", "-W", "5", dst)
	}
	out := tr.exec(world.Client, "traceroute", "-n", "-q", "1", "-w", "5", "-m", "8", "10.20.0.5")
	if !strings.Contains(out, "10.20.0.5  ") {
		tr.Errorf("traceroute does not arrive:\n%s", out)
	}
}

func (tr *tour) tcp(from, to, addr string, secret bool) {
	tr.Helper()
	p := tr.connect(from, tr.listen(to, addr))
	tr.seed += 2
	seed := tr.seed
	up, down := freight(seed, tourBytes), freight(seed+1, tourBytes)
	tr.must(both(p, seed, tourBytes, 8192))
	switch {
	case secret:
		tr.secret = append(tr.secret, up, down)
	case to != world.Internet:
		tr.open = append(tr.open, [2][]byte{up, down})
	}
}

// udp asks and gets answers of several sizes over one flow.
func (tr *tour) udp(addr string) {
	tr.Helper()
	server := tr.socket(world.Server, addr)
	client := tr.dial(world.Client, "udp", addr)
	for i, size := range []int{1, 100, 1000, 1200, 64} {
		text := freight(uint64(i)+uint64(len(addr)), size)
		got, err := echoed(client, server, text)
		tr.must(err)
		if !bytes.Equal(got, text) {
			tr.Errorf("udp %s: %d bytes came back as %d other ones", addr, size, len(got))
		}
		if size >= 64 {
			tr.datagram = append(tr.datagram, text)
		}
	}
}

// echoed sends text from client to server and back again.
func echoed(client net.Conn, server *net.UDPConn, text []byte) ([]byte, error) {
	buf := make([]byte, 1<<16)
	if err := server.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := client.Write(text); err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	n, from, err := server.ReadFrom(buf)
	if err != nil {
		return nil, fmt.Errorf("hear the question: %w", err)
	}
	if _, err := server.WriteTo(buf[:n], from); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	n, err = client.Read(buf)
	if err != nil {
		return nil, fmt.Errorf("hear the answer: %w", err)
	}
	return buf[:n], nil
}

// refused sends a datagram to a closed port: the server's ICMP error must come
// back through SVR, with the client's own packet quoted.
func (tr *tour) refused(addr string) {
	tr.Helper()
	c := tr.dial(world.Client, "udp", addr)
	_, err := c.Write([]byte("anybody?"))
	tr.must(err)
	if _, err := c.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNREFUSED) {
		tr.Errorf("datagram to a closed port: got %v, want %v", err, syscall.ECONNREFUSED)
	}
}

// sessionRow is what we read of `show sessions`.
type sessionRow struct {
	ID      string `json:"session-id"`
	Dir     string `json:"dir"`
	Service string `json:"service"`
	Src     string `json:"src-ip"`
	Dst     string `json:"dest-ip"`
	Port    uint16 `json:"dest-port"`
	OutSrc  string `json:"out-src-ip"`
	OutPort uint16 `json:"out-src-port"`
	OutDst  string `json:"out-dest-ip"`

	Encrypted bool `json:"payload-encrypted"`
	Recovered bool `json:"recovered"`
}

func (s *site) sessions(r *world.Router) (rows []sessionRow) {
	s.Helper()
	s.must(r.ShowJSON(&rows, "sessions"))
	return rows
}

// noteSessions learns which outer source belongs to which service, where the
// router opened the session towards its peer.
func (tr *tour) noteSessions(r *world.Router) {
	tr.Helper()
	for _, row := range tr.sessions(r) {
		out, err := netip.ParseAddr(row.OutSrc)
		tr.must(err)
		if row.Dir == "fwd" && (row.OutDst == hubWAN || row.OutDst == branchWAN) {
			tr.opened[netip.AddrPortFrom(out, row.OutPort)] = row.Service
		}
	}
}

// finish ends the captures once the last packet of the tour is in both files.
func (tr *tour) finish(captures []*world.Capture) {
	tr.Helper()
	const last = "the last word of the tour"
	server := tr.socket(world.Server, "10.20.0.5:9999")
	got, err := echoed(tr.dial(world.Client, "udp", "10.20.0.5:9999"), server, []byte(last))
	if err != nil || string(got) != last {
		tr.Fatalf("last datagram: got %q, %v", got, err)
	}
	both := func(f []world.Frame) bool { return holding(f, []byte(last)) >= 2 }
	for i, c := range captures {
		tr.must(c.WaitFrames(patience, both))
		frames, err := c.Frames()
		tr.must(err)
		if i == 0 {
			tr.branchLink = frames
		} else {
			tr.hubLink = frames
		}
	}
	if len(tr.branchLink) < 200 {
		tr.Fatalf("only %d frames captured", len(tr.branchLink))
	}
}

// holding counts frames that hold text.
func holding(frames []world.Frame, text []byte) (n int) {
	for _, f := range frames {
		if bytes.Contains(f.Data, text) {
			n++
		}
	}
	return n
}

// bfdPort is where peer paths speak of themselves: no session.
const bfdPort = 1280

// svr returns the packets between the two routers, ICMP apart.
func svr(list []*outer) (kept []*outer) {
	for _, o := range between(list, branchWAN, hubWAN) {
		bfd := o.proto == packet.ProtoUDP && o.src.Port() == bfdPort && o.dst.Port() == bfdPort
		if (o.proto == packet.ProtoTCP || o.proto == packet.ProtoUDP) && !bfd {
			kept = append(kept, o)
		}
	}
	return kept
}
