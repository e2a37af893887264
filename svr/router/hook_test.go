package router_test

import (
	"context"
	"testing"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/svr/router"
)

// Routers that are told to use XDP on the veths of the example do so between
// devices whose partners take XDP frames, and by TC towards the others; every
// packet arrives. By themselves they use TC there.
func TestXDPWhereItArrives(t *testing.T) {
	t.Parallel()
	w := worldOf(t, router.LanesXDP, world.Options{})
	// veth hands XDP what the sender's kernel left to the hardware: checksums.
	// Partners take frames when they have GRO; the client's does not.
	for _, c := range [][2]string{{world.Client, "eth0"}, {world.Branch, "wan0"}, {world.Hub, "wan0"}, {world.Server, "eth0"}} {
		if err := w.PlainLink(c[0], c[1]); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range [][2]string{{world.ISPFiber, "branch"}, {world.ISPFiber, "hub"}, {world.Server, "eth0"}} {
		if out, err := w.Exec(c[0], "ethtool", "-K", c[1], "gro", "on"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	branch, hub := pair(t, w)
	serve(t, w, world.Server, "-udp", "10.20.0.5:5000", "-sink", "10.20.0.5:5001")
	get(t, w, world.Client, servePage(t, w)) // makes neighbours known
	for _, r := range []*world.Router{branch, hub} {
		logged(t, r, "takes-xdp=true")
	}
	logged(t, branch, "device=lan0 takes-xdp=false")
	for _, ns := range []string{world.Client, world.Server} {
		countUDP(t, w, ns, 5000)
	}
	drops := kernelDrops(t, w)
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	if s, err := traffic.Stream(ctx, w, world.Client, "10.20.0.5:5000", 40, 3, 1200); err != nil {
		t.Errorf("%+v, %v", s, err)
	}
	for _, r := range []*world.Router{branch, hub} { // before TCP, which fills rings until something is lost
		if n := stats(t, r)["fast/drop-device"]; n != 0 {
			t.Errorf("devices of %s dropped %v", r.Name, n)
		}
	}
	if got, err := traffic.Put(ctx, w, world.Client, "10.20.0.5:5001", 20_000_000); err != nil || got.Sent != got.Arrived {
		t.Errorf("%+v, %v", got, err)
	}
	lossless(t, w, 10000, drops)
	b, h := stats(t, branch), stats(t, hub)
	// To the hub XDP sends on both routers, back only the hub does: the branch's
	// last step is to the client.
	asked, answers := readCounts(t, w, world.Client)["out"], readCounts(t, w, world.Server)["out"] // a busy server answers some
	if b["fast/forwarded-xdp"] < 0.9*asked || h["fast/forwarded-xdp"] < 0.9*(asked+answers) || b["fast/forwarded-tc"] < 0.9*answers || answers == 0 {
		t.Errorf("branch: %v by XDP, %v by TC; hub: %v by XDP, %v by TC", b["fast/forwarded-xdp"], b["fast/forwarded-tc"],
			h["fast/forwarded-xdp"], h["fast/forwarded-tc"])
	}
	stripsTags(t, w, "off") // XDP could not see them
	xdpSurvives(t, w, branch)
	stripsTags(t, w, "on")
}

// stripsTags looks whether the branch's fiber device takes VLAN tags off.
func stripsTags(t *testing.T, w *world.World, want string) {
	t.Helper()
	if out, err := w.Exec(world.Branch, "ethtool", "-k", "wan0"); err != nil || !contains(out, "rx-vlan-offload: "+want) {
		t.Errorf("want %s: %v\n%s", want, err, out)
	}
}

// xdpSurvives kills the branch's router and looks that the next one goes on with
// XDP where it was, and that its stop leaves none.
func xdpSurvives(t *testing.T, w *world.World, branch *world.Router) {
	t.Helper()
	kill(t, branch)
	branch = start(t, w, "branch1", world.Branch, world.Acme())
	before := stats(t, branch)["fast/forwarded-xdp"]
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	if _, err := traffic.Stream(ctx, w, world.Client, "10.20.0.5:5000", 10, 1, 1200); err != nil {
		t.Error(err)
	}
	if now := stats(t, branch)["fast/forwarded-xdp"]; now < before+500 {
		t.Errorf("%v packets by XDP after the restart", now-before)
	}
	stop(t, branch)
	for _, dev := range []string{"lan0", "wan0"} {
		if out, err := w.Exec(world.Branch, "ip", "-d", "link", "show", dev); err != nil || contains(out, "xdp") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// By itself a router uses no XDP on a veth.
func TestNoXDPOnVeth(t *testing.T) {
	t.Parallel()
	w := worldOf(t, router.LanesAuto, world.Options{})
	pair(t, w)
	serve(t, w, world.Server, "-udp", "10.20.0.5:5000")
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	if _, err := traffic.Stream(ctx, w, world.Client, "10.20.0.5:5000", 1, 2, 1200); err != nil { // test frames go once a second
		t.Error(err)
	}
	if out, err := w.Exec(world.Branch, "ip", "-d", "link"); err != nil || contains(out, "xdp") {
		t.Errorf("%v\n%s", err, out)
	}
}

// servePage starts a web server and returns its page.
func servePage(t *testing.T, w *world.World) string {
	t.Helper()
	serve(t, w, world.Server, "-web", "10.20.0.5:80")
	return "http://10.20.0.5/"
}

// logged waits until a router's log says something.
func logged(t *testing.T, r *world.Router, text string) {
	t.Helper()
	if err := r.WaitOutput(text, patience); err != nil {
		t.Fatal(err)
	}
}
