package emulate_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"waymark/cmd/lab/emulate"
	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
)

func TestMain(m *testing.M) {
	if code, ok := traffic.Main(os.Args[1:]); ok {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func newWorld(t *testing.T, o world.Options) *world.World {
	t.Helper()
	o.Log = t.Logf
	w, err := world.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// pinged returns received packets and the least round trip in ms.
func pinged(t *testing.T, w *world.World, count int) (got int, least float64) {
	t.Helper()
	out, _ := w.Exec(world.ISPFiber, "ping", "-n", "-i", "0.01", "-W", "2", "-c", strconv.Itoa(count), "192.0.2.10")
	for _, line := range strings.Split(out, "\n") {
		if _, rest, ok := strings.Cut(line, "transmitted, "); ok {
			got, _ = strconv.Atoi(strings.Fields(rest)[0])
		}
		if _, rest, ok := strings.Cut(line, "= "); ok && strings.HasPrefix(line, "rtt") {
			min, _, _ := strings.Cut(rest, "/")
			least, _ = strconv.ParseFloat(min, 64)
		}
	}
	return got, least
}

func TestDelayAndLoss(t *testing.T) {
	w := newWorld(t, world.Options{})
	p, err := emulate.Between(w, world.Internet, "eth0", emulate.Impairment{Delay: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if got, least := pinged(t, w, 20); got != 20 || least < 40 || least > 60 {
		t.Errorf("delay 20 ms each way: got %d of 20, least %v ms, want 20 and 40", got, least)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if got, _ := pinged(t, w, 3); got != 0 {
		t.Errorf("cut link: got %d answers", got)
	}
}

func TestLossIsAsTold(t *testing.T) {
	w := newWorld(t, world.Options{})
	if _, err := emulate.Between(w, world.Internet, "eth0", emulate.Impairment{Loss: 0.2, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	// Both ways: 0.64 of 200 are 128, standard deviation 7.
	if got, _ := pinged(t, w, 200); got < 100 || got > 156 {
		t.Errorf("loss 0.2 each way: got %d of 200 answers, want about 128", got)
	}
}

func TestTCPSurvivesABadLink(t *testing.T) {
	w := newWorld(t, world.Options{})
	im := emulate.Impairment{Delay: 2 * time.Millisecond, Jitter: time.Millisecond, Loss: 0.002,
		Duplicate: 0.01, Reorder: 0.02, Mbit: 200, Seed: 3}
	if _, err := emulate.Between(w, world.Internet, "eth0", im); err != nil {
		t.Fatal(err)
	}
	if _, err := traffic.Serve(w, world.Internet, "-sink", "192.0.2.10:5001"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	const size = 8 << 20
	got, err := traffic.Put(ctx, w, world.ISPFiber, "192.0.2.10:5001", size)
	if err != nil || got.Sent != got.Arrived || got.Bytes != size {
		t.Errorf("got %+v, %v", got, err)
	}
	if got.Gbps() > 0.2 {
		t.Errorf("rate: got %.3f Gbit/s over 0.2", got.Gbps())
	}
}

// The trunk carries one host untagged and one in VLAN 20; a capture shows tags.
func TestSwitchTags(t *testing.T) {
	w := newWorld(t, world.Options{Bare: true})
	for _, ns := range []string{"router", "switch", "plain", "tagged"} {
		if err := w.AddNamespace(ns, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		w.AddCable("switch", "trunk", "router", "lan0"),
		w.AddCable("switch", "p1", "plain", "eth0"),
		w.AddCable("switch", "p2", "tagged", "eth0"),
		w.IP("plain", "address add 192.0.2.1/24 dev eth0"),
		w.IP("tagged", "address add 198.51.100.1/24 dev eth0"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := emulate.Switch(w, "switch", "trunk", emulate.Port{Dev: "p1"}, emulate.Port{Dev: "p2", VLAN: 20}); err != nil {
		t.Fatal(err)
	}
	c, err := w.Capture("router", "lan0", "arp or vlan")
	if err != nil {
		t.Fatal(err)
	}
	// Nobody answers: the ARP requests are what we look at.
	_, _ = w.Exec("plain", "ping", "-c", "1", "-W", "1", "192.0.2.9")
	_, _ = w.Exec("tagged", "ping", "-c", "1", "-W", "1", "198.51.100.9")
	seen := func(f []world.Frame) bool { return tags(f)[0] && tags(f)[20] }
	if err := c.WaitFrames(time.Minute, seen); err != nil {
		t.Error(err)
	}
}

// tags is the set of VLANs in the frames, 0 for untagged ones.
func tags(frames []world.Frame) map[int]bool {
	found := map[int]bool{}
	for _, f := range frames {
		switch {
		case len(f.Data) < 18:
		case f.Data[12] == 0x81 && f.Data[13] == 0x00:
			found[int(f.Data[14]&0xf)<<8|int(f.Data[15])] = true
		default:
			found[0] = true
		}
	}
	return found
}
