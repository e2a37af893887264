package router_test

import (
	"context"
	"encoding/hex"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/net/netns"
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/router"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

// flow is a session between the routers of the example, as both know it.
type flow struct {
	uuid  [16]byte
	inner packet.Tuple // from the client
	outer packet.Tuple // from the branch
}

// findFlow reads the client's session with a port of the server; ok is false while
// the routers do not both have it.
func findFlow(t *testing.T, branch, hub *world.Router, proto string, port float64) (f flow, ok bool) {
	t.Helper()
	for _, s := range show(t, branch, "sessions") {
		if s["proto"] != proto || s["dir"] != "fwd" || s["dest-port"] != port {
			continue
		}
		id, err := hex.DecodeString(strings.ReplaceAll(s["session-id"].(string), "-", ""))
		if err != nil {
			t.Fatal(err)
		}
		f.uuid = [16]byte(id)
		f.inner = rowTuple(s, "src-ip", "src-port", "dest-ip", "dest-port")
		f.outer = rowTuple(s, "out-src-ip", "out-src-port", "out-dest-ip", "out-dest-port")
		if len(only(show(t, hub, "sessions"), "session-id", s["session-id"])) == 2 && s["metadata"] != true {
			return f, true
		}
	}
	return f, false
}

func rowTuple(s row, src, sport, dst, dport string) packet.Tuple {
	end := func(ip, port string) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr(s[ip].(string)), uint16(s[port].(float64)))
	}
	proto := map[any]uint8{"tcp": packet.ProtoTCP, "udp": packet.ProtoUDP}[s["proto"]]
	return packet.MakeTuple(end(src, sport), end(dst, dport), proto)
}

// waitFlow waits until both routers have the session and neither signals.
func waitFlow(t *testing.T, branch, hub *world.Router, proto string, port float64) (f flow) {
	t.Helper()
	err := world.Until(patience, "an established session", func() (ok bool, err error) {
		f, ok = findFlow(t, branch, hub, proto, port)
		return ok, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// keyOf is the inter-router policy that a router of the example receives with.
func keyOf(t *testing.T, w *world.World, name string) *secure.Policy {
	t.Helper()
	tables, _, err := router.Load(filepath.Join(w.Dir, name+".json"), name, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range tables.Interfaces {
		if id := tables.Interfaces[i].RecvPolicy; id != policy.NoSecurity {
			s := &tables.Security[id]
			pol, err := secure.New(secure.Config{Name: s.Name, Encrypt: s.Encrypt, Key: s.Key,
				Cipher: map[string]secure.Cipher{"aes-cbc-128": secure.CBC128, "aes-cbc-256": secure.CBC256}[string(s.Cipher)],
				Mode:   map[string]secure.Mode{"regular": secure.ModeRegular, "time-based": secure.ModeTimeBased}[string(s.HMACMode)],
				Digest: map[string]secure.Digest{"sha1": secure.DigestSHA1, "sha256": secure.DigestSHA256,
					"sha256-128": secure.DigestSHA256128}[string(s.HMACCipher)], HMACKey: s.HMACKey})
			if err != nil {
				t.Fatal(err)
			}
			return pol
		}
	}
	t.Fatalf("%s receives no metadata", name)
	return nil
}

// tell sends a control message from within the ISP, as the peer would: outer is
// its tuple.
func tell(t *testing.T, w *world.World, pol *secure.Policy, outer packet.Tuple, fill func(h *wire.Header, p *wire.Payload)) {
	t.Helper()
	var h wire.Header
	var body wire.Payload
	fill(&h, &body)
	b := wire.AppendMetadata(nil, &h, &body)
	if n := h.PayloadLen; n > 0 && pol.Encrypts() {
		sealed := pol.EncryptCBC(append(make([]byte, 0, n+64), b[h.Len:]...), n, &[16]byte{1, 2, 3})
		wire.SetPayloadLen(b, len(sealed))
		b = append(b[:h.Len], sealed...)
	}
	b = pol.AppendDigest(b, b, time.Now().Unix())
	var p packet.Packet
	p.Reset(make([]byte, 4096), 512, 512, 0)
	if outer.Proto == packet.ProtoTCP {
		copy(packet.BuildTCP(&p, outer, 64, 0, 1, 1, packet.FlagACK, 65535, len(b)), b)
	} else {
		copy(packet.Build(&p, outer, 64, 0, len(b)), b)
	}
	inject(t, w, &p, outer)
}

// inject sends a packet of that tuple from within the ISP.
func inject(t *testing.T, w *world.World, p *packet.Packet, outer packet.Tuple) {
	t.Helper()
	p.FinishFull()
	err := netns.Do(w.NS(world.ISPFiber), func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, p.IP(), 0, &unix.SockaddrInet4{Addr: outer.DstAddr().As4()})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// message is a control message to one of the routers about an established flow.
type message struct {
	name    string
	to      string // router
	counter string // that takes note
	fill    func(h *wire.Header, p *wire.Payload, f *flow)
	// ends: the receiver's session is over; otherwise it lasts.
	ends bool
	// again: there is a new handshake.
	again bool
}

var messages = []message{
	{name: "keep-alive", to: "hub1", counter: "metadata/received-keep-alive",
		fill: func(h *wire.Header, p *wire.Payload, f *flow) { wire.KeepAlive(h, p, 1) }},
	{name: "health", to: "hub1", counter: "metadata/received-session-health-check-acknowledgement",
		fill: func(h *wire.Header, p *wire.Payload, f *flow) { wire.HealthAnswer(h, p, 1, f.uuid, f.inner, true) }},
	{name: "health", to: "branch1", counter: "metadata/received-session-health-check-acknowledgement",
		fill: func(h *wire.Header, p *wire.Payload, f *flow) {
			wire.HealthAnswer(h, p, 1, f.uuid, f.inner.Reverse(), false)
		}},
	{name: "disable", to: "branch1", counter: "metadata/received-disable-forward-metadata",
		fill: func(h *wire.Header, p *wire.Payload, f *flow) { wire.Disable(h, p, 1, f.uuid, f.inner.Reverse()) }},
	{name: "challenge", to: "branch1", counter: "metadata/received-challenge",
		fill: func(h *wire.Header, p *wire.Payload, f *flow) {
			wire.Challenge(h, p, 1, f.uuid, f.inner.Reverse(), [8]byte{7})
		}},
	{name: "enable", to: "branch1", counter: "metadata/received-enable-metadata", again: true,
		fill: func(h *wire.Header, p *wire.Payload, f *flow) { wire.Enable(h, p, 1) }},
	{name: "enable", to: "hub1", counter: "metadata/received-enable-metadata", again: true,
		fill: func(h *wire.Header, p *wire.Payload, f *flow) { wire.Enable(h, p, 1) }},
	{name: "delete", to: "hub1", counter: "metadata/received-delete", ends: true,
		fill: func(h *wire.Header, p *wire.Payload, f *flow) { wire.Delete(h, p, 1, f.uuid, f.inner, true) }},
	{name: "delete", to: "branch1", counter: "metadata/received-delete", ends: true,
		fill: func(h *wire.Header, p *wire.Payload, f *flow) { wire.Delete(h, p, 1, f.uuid, f.inner.Reverse(), false) }},
}

// Every control message about a session that the kernel forwards is handed to
// the service lane, has its effect, and is seen by no host; the flow goes on.
func TestMessagesOnFastSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	branch, hub := pair(t, w)
	serve(t, w, world.Server, "-udp", "10.20.0.5:5000", "-sink", "10.20.0.5:5001")
	for _, ns := range []string{world.Client, world.Server} {
		watchCookies(t, w, ns)
	}
	keys := map[string]*secure.Policy{"branch1": keyOf(t, w, "branch1"), "hub1": keyOf(t, w, "hub1")}
	routers := map[string]*world.Router{"branch1": branch, "hub1": hub}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	lasts := func(what string, run func() error) { // both for longer than the slowest machine needs
		if err := run(); ctx.Err() == nil {
			t.Errorf("%s ends before its time: %v", what, err)
		}
		done <- struct{}{}
	}
	go lasts("stream", func() error {
		_, err := traffic.Stream(ctx, w, world.Client, "10.20.0.5:5000", 2, 1200, 1200)
		return err
	})
	go lasts("transfer", func() error {
		_, err := traffic.PutPaced(ctx, w, world.Client, "10.20.0.5:5001", 1e9, 4)
		return err
	})
	flows := map[string]float64{"udp": 5000, "tcp": 5001}
	for proto, port := range flows { // both, before a session that begins counts as one begun anew
		waitFlow(t, branch, hub, proto, port)
	}
	for proto, port := range flows {
		for i := range messages {
			m := &messages[i]
			t.Run(proto+" "+m.name+" to "+m.to, func(t *testing.T) {
				m.deliver(t, w, branch, hub, routers[m.to], keys[m.to], proto, port)
			})
		}
	}
	cancel()
	<-done
	<-done
	for _, ns := range []string{world.Client, world.Server} {
		noCookies(t, w, ns)
	}
}

// deliver sends the message and looks for its effect.
func (m *message) deliver(t *testing.T, w *world.World, branch, hub, to *world.Router, key *secure.Policy, proto string, port float64) {
	f := waitFlow(t, branch, hub, proto, port)
	inKernel(t, to, 100)
	outer := f.outer
	if m.to == "branch1" {
		outer = outer.Reverse()
	}
	before, drops := stats(t, to), kernelDrops(t, w)
	tell(t, w, key, outer, func(h *wire.Header, p *wire.Payload) { m.fill(h, p, &f) })
	err := world.Until(patience, m.name+" counted", func() (bool, error) {
		now := stats(t, to)
		if lost := kernelDrops(t, w); lost > drops && now[m.counter] == before[m.counter] { // nobody repeats it
			drops = lost
			tell(t, w, key, outer, func(h *wire.Header, p *wire.Payload) { m.fill(h, p, &f) })
		}
		handshake := now["metadata/added"] > before["metadata/added"]
		return now[m.counter] > before[m.counter] && now["fast/punt-control"] > before["fast/punt-control"] &&
			(!m.again || handshake), nil
	})
	if err != nil {
		t.Logf("%+v, now %+v; since then %v; the kernel dropped %v", f, waitFlow(t, branch, hub, proto, port), grown(before, stats(t, to)), kernelDrops(t, w)-drops)
		now := stats(t, to)
		t.Errorf("%v: %s %v, before %v; punted for control %v, before %v; metadata added %v, before %v", err, m.counter, now[m.counter],
			before[m.counter], now["fast/punt-control"], before["fast/punt-control"], now["metadata/added"], before["metadata/added"])
	}
	waitFlow(t, branch, hub, proto, port) // the hosts go on
	begun := func() float64 { return anew(stats(t, to)) }
	had := anew(before)
	switch {
	case m.ends: // counted, then ended, then begun by the next packet, whoever sends that
		if err := world.Until(patience, "a session begun anew", func() (bool, error) { return begun() > had, nil }); err != nil {
			t.Errorf("%v: %v", err, grown(before, stats(t, to)))
		}
		waitFlow(t, branch, hub, proto, port)
	case begun() > had:
		t.Error("the session began anew")
	}
}

// anew counts the sessions that a router made, for a host's packet or a peer's.
func anew(n map[string]float64) float64 {
	return n["sessions/opened"] + n["sessions/accepted"] + n["sessions/recovered"]
}

// grown are the counters that are not what they were, and by how much.
func grown(before, now map[string]float64) map[string]float64 {
	m := map[string]float64{}
	for k, v := range now {
		if v != before[k] {
			m[k] = v - before[k]
		}
	}
	return m
}

// inKernel waits until the kernel's lane forwards n packets more.
func inKernel(t *testing.T, r *world.Router, n float64) {
	t.Helper()
	before := stats(t, r)["fast/forwarded-tc"]
	err := world.Until(patience, "packets in the kernel's lane", func() (bool, error) {
		return stats(t, r)["fast/forwarded-tc"] > before+n, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A RST that somebody forged on a connection of the kernel's lane, with any
// number, passes on to the host, who knows better. Data goes on, and so does
// the session, in the kernel.
func TestForgedResetOnFastSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	branch, hub := pair(t, w)
	serve(t, w, world.Server, "-sink", "10.20.0.5:5001")
	file := writeConfig(t, w, "resets", []byte(`table inet resets {
	counter seen {}
	chain in {
		type filter hook input priority -1;
		tcp flags rst counter name seen
	}
}
`))
	if out, err := w.Exec(world.Client, "nft", "-f", file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	done := make(chan error, 1)
	var got traffic.Transfer
	go func() {
		var err error
		got, err = traffic.PutPaced(ctx, w, world.Client, "10.20.0.5:5001", 15_000_000, 8) // 15 s
		done <- err
	}()
	f := waitFlow(t, branch, hub, "tcp", 5001)
	inKernel(t, branch, 5) // of 64 KB
	before := stats(t, branch)
	var p packet.Packet
	p.Reset(make([]byte, 4096), 512, 512, 0)
	back := f.outer.Reverse()
	packet.BuildTCP(&p, back, 64, 0, 77, 0, packet.FlagRST, 0, 0)
	inject(t, w, &p, back)
	err := world.Until(patience, "a RST at the host", func() (bool, error) {
		out, err := w.Exec(world.Client, "nft", "list", "counters", "table", "inet", "resets")
		return strings.Contains(out, "packets 1 "), err
	})
	if err != nil {
		t.Error(err)
	}
	inKernel(t, branch, 5) // of 64 KB
	if err := <-done; err != nil || got.Sent != got.Arrived {
		t.Errorf("%+v, %v", got, err)
	}
	after := stats(t, branch)
	if after["fast/punt-tcp-flags"] == before["fast/punt-tcp-flags"] || after["sessions/opened"] != before["sessions/opened"] {
		t.Errorf("%v packets punted for flags, %v sessions opened", after["fast/punt-tcp-flags"]-before["fast/punt-tcp-flags"],
			after["sessions/opened"]-before["sessions/opened"])
	}
}
