package world_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"waymark/cmd/lab/world"
)

// patience bounds what happens at once on a machine that is not busy.
const patience = 30 * time.Second

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

// namespaces lists those of this machine that begin with the world's name.
func namespaces(t *testing.T, name string) []string {
	t.Helper()
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, line := range strings.Split(string(out), "\n") {
		if strings.HasPrefix(line, name+"-") {
			list = append(list, line)
		}
	}
	return list
}

func TestKernelRoutersCarryEverything(t *testing.T) {
	w := newWorld(t, world.Options{})
	if err := w.KernelRouters(); err != nil {
		t.Fatal(err)
	}
	for _, dst := range []string{"10.20.0.5", "10.20.0.80", "192.0.2.10", "fd00:20::5", "fd00:20::80"} {
		if _, err := w.Exec(world.Client, "ping", "-c", "1", "-W", "10", dst); err != nil {
			t.Error(err)
		}
	}
	// Over the LTE port: the carrier translates, so the answer comes back.
	if _, err := w.Exec(world.Branch, "ping", "-I", "wan1", "-c", "1", "-W", "10", "198.51.100.2"); err != nil {
		t.Error(err)
	}
}

func TestCarrierHidesItsCustomers(t *testing.T) {
	w := newWorld(t, world.Options{})
	c, err := w.Capture(world.ISPFiber, "lte", "icmp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Exec(world.Branch, "ping", "-I", "wan1", "-c", "1", "-W", "10", "192.0.2.10"); err != nil {
		t.Error(err)
	}
	two := func(f []world.Frame) bool { return len(f) >= 2 }
	if err := c.WaitFrames(patience, two); err != nil {
		t.Error(err)
	}
	frames, err := c.Frames()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		src, dst, ok := f.Addrs()
		if ok && (src.String() == "100.64.0.10" || dst.String() == "100.64.0.10") {
			t.Errorf("customer's address on the uplink: %v to %v", src, dst)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	w := newWorld(t, world.Options{})
	p, err := w.Start(world.Server, "sh", "-c", "sleep 1000 & exec sleep 1000")
	if err != nil {
		t.Fatal(err)
	}
	orphan, err := w.Start(world.Server, "sh", "-c", "sleep 1000 & echo $!")
	if err != nil {
		t.Fatal(err)
	}
	<-orphan.Done()
	sleeper := strings.TrimSpace(orphan.Output())
	if got := namespaces(t, w.Name); len(got) == 0 {
		t.Fatal("no namespaces before Close")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := namespaces(t, w.Name); len(got) != 0 {
		t.Errorf("namespaces after Close: %v", got)
	}
	select {
	case <-p.Done():
	default:
		t.Error("process survived Close")
	}
	err = world.Until(patience, "end of the orphan", func() (bool, error) {
		stat, err := os.ReadFile("/proc/" + sleeper + "/stat")
		return err != nil || bytes.Contains(stat, []byte(") Z ")), nil
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(w.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory after Close: %v", err)
	}
	if _, err := w.Start(world.Server, "true"); err == nil {
		t.Error("Start in a closed world: no error")
	}
}

func TestWorldsAreApart(t *testing.T) {
	a, b := newWorld(t, world.Options{}), newWorld(t, world.Options{})
	if err := a.KernelRouters(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Exec(world.Client, "ping", "-c", "1", "-W", "10", "10.20.0.5"); err != nil {
		t.Errorf("in the world with routers: %v", err)
	}
	if out, err := b.Exec(world.Client, "ping", "-c", "1", "-W", "1", "10.20.0.5"); err == nil {
		t.Errorf("in the world without routers: ping answered:\n%s", out)
	}
	if _, err := world.New(world.Options{Name: a.Name}); !errors.Is(err, world.ErrExists) {
		t.Errorf("second world of one name: got %v, want %v", err, world.ErrExists)
	}
}

func TestKeptWorldIsRemovedByName(t *testing.T) {
	const name = "wm0bad"
	w := newWorld(t, world.Options{Name: name, Keep: true})
	p, err := w.Start(world.Client, "sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	found, err := world.Remove(name)
	if err != nil || !found {
		t.Fatalf("Remove: got %v, %v, want true, nil", found, err)
	}
	<-p.Done()
	if got := namespaces(t, name); len(got) != 0 {
		t.Errorf("namespaces after Remove: %v", got)
	}
	if found, _ := world.Remove(name); found {
		t.Error("second Remove found it again")
	}
}

func TestRate(t *testing.T) {
	w := newWorld(t, world.Options{MTU: 1400})
	if err := w.Rate(world.ISPFiber, "branch", 20); err != nil {
		t.Fatal(err)
	}
	if err := w.Rate(world.ISPFiber, "branch", 0); err != nil {
		t.Fatal(err)
	}
	out, err := w.Exec(world.Branch, "ip", "link", "show", "dev", "wan0")
	if err != nil || !strings.Contains(out, "mtu 1400") {
		t.Errorf("wan0: got %q, %v, want mtu 1400", out, err)
	}
	out, err = w.Exec(world.Branch, "ip", "link", "show", "dev", "lan0")
	if err != nil || !strings.Contains(out, "mtu 1500") {
		t.Errorf("lan0: got %q, %v, want mtu 1500", out, err)
	}
}

func TestCarrierLoss(t *testing.T) {
	w := newWorld(t, world.Options{})
	for _, up := range []bool{false, true} {
		if err := w.Carrier(world.ISPFiber, "branch", up); err != nil {
			t.Fatal(err)
		}
		err := world.Until(patience, "carrier of wan0", func() (bool, error) {
			out, err := w.Exec(world.Branch, "ip", "link", "show", "dev", "wan0")
			return strings.Contains(out, "LOWER_UP") == up, err
		})
		if err != nil {
			t.Errorf("up=%v: %v", up, err)
		}
	}
}

func TestPlainLink(t *testing.T) {
	w := newWorld(t, world.Options{})
	if err := w.PlainLink(world.Branch, "wan0"); err != nil {
		t.Fatal(err)
	}
	for ns, dev := range map[string]string{world.Branch: "wan0", world.ISPFiber: "branch"} {
		out, err := w.Exec(ns, "ethtool", "-k", dev)
		if err != nil || !strings.Contains(out, "tcp-segmentation-offload: off") {
			t.Errorf("%s %s: %v\n%s", ns, dev, err, out)
		}
	}
	if err := w.PlainLink(world.Branch, "wan7"); err == nil {
		t.Error("no such cable: no error")
	}
}

func TestAcme(t *testing.T) {
	ours, err := os.ReadFile("../../../mgmt/config/testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours, world.Acme()) {
		t.Error("acme.json here and in mgmt/config differ")
	}
	var plain, guest any
	if err := json.Unmarshal(world.Acme(), &plain); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal(world.AcmeGuest(), &guest); err != nil {
		t.Error(err)
	}
	if !bytes.Contains(world.AcmeGuest(), []byte(`"target-interface": "lan1"`)) {
		t.Error("AcmeGuest has no guest port")
	}
	if text := world.AcmeDHCP("192.0.2.10"); bytes.Count(text, []byte(`"dhcp": "v4"`)) != 2 || !json.Valid(text) {
		t.Error("AcmeDHCP has not two ways out by DHCP")
	}
}

func TestUntil(t *testing.T) {
	never := func() (bool, error) { return false, nil }
	if err := world.Until(time.Millisecond, "never", never); !errors.Is(err, world.ErrDeadline) {
		t.Errorf("got %v, want %v", err, world.ErrDeadline)
	}
	broken := errors.New("broken")
	fails := func() (bool, error) { return false, broken }
	if err := world.Until(time.Minute, "failure", fails); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestWaitOutputSeesTheEnd(t *testing.T) {
	w := newWorld(t, world.Options{})
	p, err := w.Start(world.Client, "sh", "-c", "echo ready; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WaitOutput("ready", patience); err != nil {
		t.Error(err)
	}
	if err := p.WaitOutput("never", time.Minute); err == nil {
		t.Error("text that never came: no error")
	}
	if got := p.ExitCode(); got != 3 {
		t.Errorf("exit code: got %d, want 3", got)
	}
}

func TestBareWorldIsTheCallersOwn(t *testing.T) {
	w := newWorld(t, world.Options{Bare: true})
	for _, ns := range []string{"a", "middle", "b"} {
		if err := w.AddNamespace(ns, ns == "middle"); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		w.AddCable("a", "eth0", "middle", "left"),
		w.AddCable("b", "eth0", "middle", "right"),
		w.IP("a", "address add 192.0.2.1/30 dev eth0", "route add default via 192.0.2.2"),
		w.IP("middle", "address add 192.0.2.2/30 dev left", "address add 192.0.2.5/30 dev right"),
		w.IP("b", "address add 192.0.2.6/30 dev eth0", "route add default via 192.0.2.5"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Exec("a", "ping", "-c", "1", "-W", "10", "192.0.2.6"); err != nil {
		t.Error(err)
	}
	if err := w.IP("a", "address add nonsense dev eth0"); err == nil {
		t.Error("wrong arguments of ip: no error")
	}
}
