package session_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/packet"
)

// acmeWith is acme with pairs of texts exchanged in its configuration.
func acmeWith(t testing.TB, replace ...string) (s *sim, branch, hub *node) {
	t.Helper()
	s = newSim(t)
	a := acmeAuthority(t, replace...)
	return s, s.boot(a, "branch1", false), s.boot(a, "hub1", false)
}

func acmeAuthority(t testing.TB, replace ...string) *config.Authority {
	t.Helper()
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	a, findings := config.Parse([]byte(strings.NewReplacer(replace...).Replace(string(data))))
	for _, f := range findings {
		if f.Severity == config.Error {
			t.Fatal(f)
		}
	}
	return a
}

// protections are the ways in which payload travels, as changes of acme's
// configuration: the service at 10.20.0.80:8443 has each of them.
var protections = []struct {
	name    string
	replace []string
}{
	{"clear", []string{`"security": "payload-cbc"`, `"security": "clear"`}},
	{"CBC", nil},
	{"GCM", []string{`"encryption-cipher": "aes-cbc-128"`, `"encryption-cipher": "aes-gcm-128"`}},
}

// dialog is a flow between two hosts of acme that goes on for a whole test. It
// holds no packets back and repeats nothing: what it says must arrive.
type dialog struct {
	s            *sim
	out          packet.Tuple
	near, far    string // routers of caller and called host
	seq, ack     uint32 // of the caller
	said         int
	caller, call *host
}

// lans are the interfaces of the routers of acme towards their hosts.
var lans = map[string]string{"branch1": "lan", "hub1": "dc"}

// newDialog opens a flow; from is the router of the caller.
func newDialog(s *sim, from string, proto uint8, src, dst string) *dialog {
	d := makeDialog(s, from, proto, src, dst)
	if proto == packet.ProtoTCP {
		d.forth(tcp(d.out, packet.FlagSYN, d.seq-1, 0, nil))
		s.now += 5e6
		d.back(tcp(d.out.Reverse(), packet.FlagSYN|packet.FlagACK, d.ack-1, d.seq, nil))
		s.now += 5e6
		d.forth(tcp(d.out, packet.FlagACK, d.seq, d.ack, nil))
	}
	return d
}

// makeDialog is a flow of which nobody said anything yet.
func makeDialog(s *sim, from string, proto uint8, src, dst string) *dialog {
	d := &dialog{s: s, near: "branch1", far: "hub1", seq: 1000, ack: 5000, out: tuple(proto, src, dst)}
	if from == "hub1" {
		d.near, d.far = d.far, d.near
	}
	d.caller, d.call = s.host(d.out.SrcAddr().String()), s.host(d.out.DstAddr().String())
	return d
}

func (d *dialog) forth(p packet.Packet) { d.s.nodes[d.near].from(lans[d.near], p) }
func (d *dialog) back(p packet.Packet)  { d.s.nodes[d.far].from(lans[d.far], p) }

// speak says something new in both directions and fails the test unless each
// arrives once, as it was.
func (d *dialog) speak(t testing.TB) {
	t.Helper()
	if d.out.Proto != packet.ProtoTCP {
		d.s.now += 5e6
		d.check(t, d.call, d.out, func(b []byte) { d.forth(udp(d.out, b)) })
		d.s.now += 5e6
		d.check(t, d.caller, d.out.Reverse(), func(b []byte) { d.back(udp(d.out.Reverse(), b)) })
		return
	}
	const flags = packet.FlagACK | packet.FlagPSH
	d.s.now += 5e6
	d.seq += d.check(t, d.call, d.out, func(b []byte) { d.forth(tcp(d.out, flags, d.seq, d.ack, b)) })
	d.s.now += 5e6
	d.ack += d.check(t, d.caller, d.out.Reverse(), func(b []byte) { d.back(tcp(d.out.Reverse(), flags, d.ack, d.seq, b)) })
}

// chat says something and nothing at all, first there and then back, so that a
// handshake goes on with and without data.
func (d *dialog) chat(t testing.TB) {
	const flags = packet.FlagACK | packet.FlagPSH
	d.s.now += 5e6
	d.forth(tcp(d.out, packet.FlagACK, d.seq, d.ack, nil))
	d.seq += d.check(t, d.call, d.out, func(b []byte) { d.forth(tcp(d.out, flags, d.seq, d.ack, b)) })
	d.s.now += 5e6
	d.back(tcp(d.out.Reverse(), packet.FlagACK, d.ack, d.seq, nil))
	d.ack += d.check(t, d.caller, d.out.Reverse(), func(b []byte) { d.back(tcp(d.out.Reverse(), flags, d.ack, d.seq, b)) })
}

// check says one thing and returns its length.
func (d *dialog) check(t testing.TB, to *host, out packet.Tuple, say func(b []byte)) uint32 {
	t.Helper()
	d.said++
	text := fmt.Appendf(nil, "%v says number %d of many", out, d.said)
	had, heard := len(to.got), 0
	say(text)
	for _, p := range to.got[had:] {
		if p.T == out && bytes.Equal(p.Payload(), text) && p.VerifyL4() {
			heard++
		}
	}
	if heard != 1 {
		t.Fatalf("%v number %d arrived %d times, want once\n%s\n%s", out, d.said, heard,
			d.s.nodes["branch1"].explain(), d.s.nodes["hub1"].explain())
	}
	return uint32(len(text))
}

// town is a handful of flows of every sort between branch1 and hub1.
type town struct {
	s           *sim
	main        *dialog // the one at 10.20.0.80:8443
	all         []*dialog
	branch, hub *node
}

// newTown boots the routers; open makes the flows.
func newTown(t testing.TB, replace ...string) *town {
	s, branch, hub := acmeWith(t, replace...)
	return &town{s: s, branch: branch, hub: hub}
}

func (w *town) open() {
	s := w.s
	w.main = newDialog(s, "branch1", packet.ProtoTCP, "192.168.1.77:40000", "10.20.0.80:8443")
	w.all = []*dialog{
		w.main,
		newDialog(s, "branch1", packet.ProtoTCP, "192.168.1.78:40001", "10.20.0.80:8443"),
		newDialog(s, "branch1", packet.ProtoTCP, "192.168.1.77:40002", "10.20.0.5:80"),
		newDialog(s, "branch1", packet.ProtoUDP, "192.168.1.77:40003", "10.20.0.5:443"),
		newDialog(s, "hub1", packet.ProtoTCP, "10.20.0.5:40004", "192.168.1.77:22"),
		newDialog(s, "hub1", packet.ProtoUDP, "10.20.0.5:40005", "192.168.1.77:161"),
		newDialog(s, "branch1", packet.ProtoUDP, "[fd00:1::77]:40006", "[fd00:20::5]:443"),
	}
}

// speak lets every flow say something, twice, so that handshakes are over.
func (w *town) speak(t testing.TB) {
	t.Helper()
	for range 2 {
		for _, d := range w.all {
			d.speak(t)
		}
	}
}
