package router_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
	"waymark/svr/router"
)

// Real BFD daemons as bfd-neighbors: BIRD, authenticated, and FRR's bfdd, each
// on the port of RFC 5883 and on ours (rewritten in their namespace), IPv4 and
// IPv6.
type daemon struct {
	ns, dev string
	net     int // 10.NET.0.1 and fdNET::1 are the box, .2 and ::2 the daemon
	port    int
	bird    bool
}

var daemons = []daemon{
	{"bird-std", "n0", 91, 4784, true}, {"bird-own", "n1", 92, 1280, true},
	{"frr-std", "n2", 93, 4784, false}, {"frr-own", "n3", 94, 1280, false},
}

// Intervals in milliseconds, and changed ones. Whoever does not come to speak three
// times in a row on a busy machine is down, so they are not short.
const usual, slower = 1000, 1500

func (d *daemon) v4(host int) string { return fmt.Sprintf("10.%d.0.%d", d.net, host) }
func (d *daemon) v6(host int) string { return fmt.Sprintf("fd%d::%d", d.net, host) }

const rewrite = `table inet m {
	chain o { type filter hook output priority -300; policy accept;
		udp dport 4784 udp dport set 1280
	}
	chain p { type filter hook prerouting priority -300; policy accept;
		udp dport 1280 udp dport set 4784
	}
}
`

// bed is the box and its neighbours.
type bed struct {
	t   *testing.T
	w   *world.World
	box *world.Router
	run map[string]*world.Proc
}

func newBed(t *testing.T) *bed {
	w, err := world.New(world.Options{Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	w.Lanes = router.LanesBPF
	b := &bed{t: t, w: w, run: map[string]*world.Proc{}}
	b.must(w.AddNamespace("box", false))
	for i := range daemons {
		d := &daemons[i]
		b.must(w.AddNamespace(d.ns, false))
		b.must(w.AddCable("box", d.dev, d.ns, "eth0"))
		b.must(w.IP(d.ns, "address add "+d.v4(2)+"/24 dev eth0", "address add "+d.v6(2)+"/64 dev eth0 nodad"))
		if d.port == 1280 {
			b.must(os.WriteFile(w.Path(d.ns+".nft"), []byte(rewrite), 0o644))
			b.exec(d.ns, "nft", "-f", w.Path(d.ns+".nft"))
		}
		b.startDaemon(d, usual)
	}
	b.box = start(t, w, "box", "box", b.config())
	return b
}

func (b *bed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) exec(ns string, argv ...string) string {
	b.t.Helper()
	out, err := b.w.Exec(ns, argv...)
	if err != nil {
		b.t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return out
}

type obj = map[string]any

func (b *bed) config() []byte {
	var devices []any
	for i := range daemons {
		d := &daemons[i]
		var neighbors []any
		for _, a := range []string{d.v4(2), d.v6(2)} {
			n := obj{"ip-address": a, "port": d.port, "desired-tx-interval": usual, "required-min-rx-interval": usual}
			if d.bird {
				n["authentication"], n["key-id"], n["password"] = "meticulous-sha1", 7, "svrtest"
			}
			neighbors = append(neighbors, n)
		}
		devices = append(devices, obj{"name": d.dev, "target-interface": d.dev, "network-interface": []any{obj{
			"name": d.dev, "bfd-neighbor": neighbors, "address": []any{
				obj{"ip-address": d.v4(1), "prefix-length": 24}, obj{"ip-address": d.v6(1), "prefix-length": 64}}}}})
	}
	text, err := json.Marshal(obj{"authority": obj{"name": "bed",
		"security": []any{obj{"name": "internal", "encrypt": false, "hmac-mode": "disabled"}},
		"router":   []any{obj{"name": "box", "inter-node-security": "internal", "node": []any{obj{"name": "node1", "device-interface": devices}}}}}})
	b.must(err)
	return text
}

// startDaemon starts BIRD or bfdd with an interval in milliseconds.
func (b *bed) startDaemon(d *daemon, interval int) {
	b.t.Helper()
	conf := b.w.Path(d.ns + ".conf")
	b.must(os.WriteFile(conf, []byte(d.config(interval)), 0o644))
	argv := []string{"bird", "-f", "-c", conf, "-s", b.w.Path(d.ns + ".ctl"), "-P", b.w.Path(d.ns + ".pid")}
	if !d.bird {
		dir := b.w.Path(d.ns)
		b.must(os.MkdirAll(dir, 0o777))
		argv = []string{"/usr/lib/frr/bfdd", "-u", "root", "-g", "frrvty", "-f", conf, "-i", dir + "/pid", "-z", dir + "/zserv",
			"--vty_socket", dir, "--bfdctl", dir + "/ctl.sock", "--log", "stdout"}
	}
	p, err := b.w.Start(d.ns, argv...)
	b.must(err)
	b.run[d.ns] = p
	b.t.Cleanup(func() {
		if b.t.Failed() {
			b.t.Logf("%s:\n%s", d.ns, p.Output())
		}
	})
}

func (d *daemon) config(interval int) string {
	if d.bird {
		return fmt.Sprintf(`router id %s;
protocol device { }
protocol bfd {
	multihop { interval %d ms; multiplier 3; authentication meticulous keyed sha1; password "svrtest" { id 7; }; };
	neighbor %s local %s multihop on;
	neighbor %s local %s multihop on;
}
`, d.v4(2), interval, d.v4(1), d.v4(2), d.v6(1), d.v6(2))
	}
	text := "bfd\n"
	for _, a := range [][2]string{{d.v4(1), d.v4(2)}, {d.v6(1), d.v6(2)}} {
		text += fmt.Sprintf(" peer %s multihop local-address %s\n  receive-interval %d\n  transmit-interval %d\n  minimum-ttl 1\n exit\n",
			a[0], a[1], interval, interval)
	}
	return text
}

// vty runs commands in bfdd's configuration.
func (b *bed) vty(d *daemon, lines ...string) string {
	b.t.Helper()
	argv := []string{"vtysh", "--vty_socket", b.w.Path(d.ns)}
	for _, l := range lines {
		argv = append(argv, "-c", l)
	}
	return b.exec(d.ns, argv...)
}

// sessions waits until both sessions of a daemon, as we see them, are as good
// says.
func (b *bed) sessions(d *daemon, what string, good func(row) bool) {
	b.t.Helper()
	until(b.t, b.box, d.ns+": "+what, func(rows []row) bool {
		list := only(rows, "network-interface", d.dev)
		for _, r := range list {
			if !good(r) {
				return false
			}
		}
		return len(list) == 2
	}, "bfd", "detail")
}

func isUp(r row) bool { return r["state"] == "up" && r["remote-state"] == "up" && r["peer"] == nil }

// theyAgree asks the daemon itself.
func (b *bed) theyAgree(d *daemon) {
	b.t.Helper()
	count, out := 0, ""
	err := world.Until(patience, d.ns+" sees both sessions up", func() (bool, error) {
		if d.bird {
			out = b.exec(d.ns, "birdc", "-s", b.w.Path(d.ns+".ctl"), "show", "bfd", "sessions")
			count = strings.Count(out, " Up ")
		} else {
			out = b.vty(d, "show bfd peers")
			count = strings.Count(out, "Status: up")
		}
		return count == 2, nil
	})
	if err != nil {
		b.t.Fatalf("%v:\n%s", err, out)
	}
}

func TestStandardNeighbours(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	each := func(f func(d *daemon)) {
		for i := range daemons {
			f(&daemons[i])
		}
	}
	each(func(d *daemon) { b.sessions(d, "up", isUp) })
	each(b.theyAgree)

	// Timers change at their side, told by a poll; nothing flaps.
	each(func(d *daemon) {
		if d.bird {
			b.must(os.WriteFile(b.w.Path(d.ns+".conf"), []byte(d.config(slower)), 0o644))
			b.exec(d.ns, "birdc", "-s", b.w.Path(d.ns+".ctl"), "configure")
			return
		}
		for _, a := range [][2]string{{d.v4(1), d.v4(2)}, {d.v6(1), d.v6(2)}} {
			b.vty(d, "conf t", "bfd", "peer "+a[0]+" multihop local-address "+a[1], fmt.Sprint("transmit-interval ", slower), fmt.Sprint("receive-interval ", slower))
		}
	})
	each(func(d *daemon) {
		b.sessions(d, "slower, without a flap", func(r row) bool {
			return isUp(r) && r["detection-time-ms"] == 3.0*slower && r["tx-interval-ms"] == 1.0*slower && r["link-up"] == 1.0
		})
	})

	// Admin-down at their side is told (3), and is no silence (1). bfdd tells it for a
	// moment; whoever looks later sees a neighbour that says nothing.
	frr := &daemons[2]
	for _, word := range []string{"shutdown", "no shutdown"} {
		for _, a := range [][2]string{{frr.v4(1), frr.v4(2)}, {frr.v6(1), frr.v6(2)}} {
			b.vty(frr, "conf t", "bfd", "peer "+a[0]+" multihop local-address "+a[1], word)
		}
		if word == "shutdown" {
			b.sessions(frr, "admin-down", func(r row) bool {
				return r["state"] == "down" && (r["remote-state"] == "admin-down" || r["remote-state"] == "down") && r["diagnostic"] == 3.0
			})
		}
	}
	b.sessions(frr, "up after admin-down", isUp)

	// Silence takes both sides down, and they come back.
	each(func(d *daemon) { b.must(b.w.IP(d.ns, "link set eth0 down")) })
	each(func(d *daemon) { b.sessions(d, "down by silence", func(r row) bool { return r["state"] == "down" }) })
	each(func(d *daemon) {
		b.must(b.w.IP(d.ns, "link set eth0 up", "address replace "+d.v6(2)+"/64 dev eth0 nodad"))
	})
	each(func(d *daemon) { b.sessions(d, "up again", isUp) })
	each(b.theyAgree)

	// Either side starts again.
	each(func(d *daemon) { b.must(b.run[d.ns].Kill()) })
	each(func(d *daemon) { b.startDaemon(d, usual) })
	each(func(d *daemon) {
		b.sessions(d, "up after their restart", func(r row) bool { return isUp(r) && r["detection-time-ms"] == 3.0*usual })
	})
	b.must(b.box.Kill())
	b.box = start(t, b.w, "box", "box", b.config())
	each(func(d *daemon) { b.sessions(d, "up after our restart", isUp) })
	each(b.theyAgree)
}
