package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
)

// TestMain lets the test binary be three more programs: the hosts' traffic, a
// router that leaves the work to the kernel, and the lab itself.
func TestMain(m *testing.M) {
	args := os.Args[1:]
	if code, ok := traffic.Main(args); ok {
		os.Exit(code)
	}
	switch {
	case len(args) > 0 && args[0] == "router":
		os.Exit(plainRouter(args))
	case len(args) > 0 && args[0] == "show":
		os.Exit(plainShow(args))
	case os.Getenv("BE_THE_LAB") != "":
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// plainRouter answers on a socket as a router does and forwards nothing itself.
func plainRouter(args []string) int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	l, err := net.Listen("unix", filepath.Join(args[slices.Index(args, "-run")+1], "router.sock"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer l.Close()
	<-stop
	return 0
}

func plainShow(args []string) int {
	if slices.Contains(args, "-json") {
		row := map[string]any{"peer": "hub1", "network-interface": "fiber", "destination": "198.51.100.2", "status": "up"}
		_ = json.NewEncoder(os.Stdout).Encode([]any{row})
		return 0
	}
	fmt.Println("a table")
	return 0
}

// plainLab is a lab whose routers are the kernel's.
func plainLab(t *testing.T) (*lab, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("WAYMARK_BIN", self)
	var out bytes.Buffer
	return &lab{out: &out, bare: true, prepare: (*world.World).KernelRouters}, &out
}

// Kernel routers carry everything, but not as SVR does: every step that proves
// SVR must fail over them, the others must pass, and all must be removed.
func TestStepsTellSVRFromForwarding(t *testing.T) {
	l, out := plainLab(t)
	mainSteps := mainSteps // the guest has no way through kernel routers
	err := l.demonstrate(context.Background())
	if err == nil {
		t.Error("demonstration over kernel routers passed")
	}
	for _, s := range append(mainSteps, guestSteps...) {
		fails := slices.Contains([]string{"dhcp", "breakout", "failover", "on the wire", "guest out", "guest route"}, s.name)
		if got := slices.Contains(l.failed, s.name); got != fails {
			t.Errorf("step %s failed: got %v, want %v", s.name, got, fails)
		}
	}
	t.Log(out)
	for _, want := range []string{"SHA-256 equal", "branch1> show capacity", "no namespace, process or file left"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output has no %q", want)
		}
	}
}

// runLab runs the lab as a program of its own until it ends.
func runLab(t *testing.T, args ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, append([]string{"-bare"}, args...)...)
	c.Env = append(os.Environ(), "BE_THE_LAB=1", "WAYMARK_BIN="+self)
	out, err := c.CombinedOutput()
	return string(out), err
}

func TestUpAndDown(t *testing.T) {
	if out, err := runLab(t, "up"); err != nil || !strings.Contains(out, "ip netns exec wmlab-client") {
		t.Fatalf("up: %v\n%s", err, out)
	}
	ping := exec.Command("ip", "netns", "exec", "wmlab-client", "ping", "-c", "1", "-W", "10", "192.168.1.10")
	if out, err := ping.CombinedOutput(); err != nil {
		t.Errorf("in the world left running: %v\n%s", err, out)
	}
	out, err := exec.Command("ip", "netns", "pids", "wmlab-branch").Output()
	if err != nil || len(bytes.Fields(out)) != 1 {
		t.Errorf("processes of the branch left running: got %q, %v, want one", out, err)
	}
	if out, err := runLab(t, "up"); err == nil {
		t.Errorf("second up: no error\n%s", out)
	}
	if out, err := runLab(t, "down"); err != nil {
		t.Errorf("down: %v\n%s", err, out)
	}
	if stays(world.LabName) {
		t.Error("the lab is still there after down")
	}
	if out, err := runLab(t, "down"); err != nil || !strings.Contains(out, "no lab is up") {
		t.Errorf("down twice: %v\n%s", err, out)
	}
	if out, err := runLab(t, "leftovers"); err != nil {
		t.Errorf("leftovers: %v\n%s", err, out)
	}
}

func TestUsage(t *testing.T) {
	l, _ := plainLab(t)
	for _, args := range [][]string{{"sideways"}, {"up", "down"}} {
		if err := l.command(context.Background(), args); exitCode(err) != 2 {
			t.Errorf("%q: got %v, want wrong usage", args, err)
		}
	}
	machine := &lab{image: "out/factory"} // it does not outlive the lab
	if err := machine.command(context.Background(), []string{"up"}); exitCode(err) != 2 {
		t.Errorf("a machine that is left running: got %v, want wrong usage", err)
	}
}

// theLab starts the lab as a program of its own and returns its world's name
// once routers run in it.
func theLab(t *testing.T) (*exec.Cmd, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	c := exec.Command(self, "-bare")
	c.Env = append(os.Environ(), "BE_THE_LAB=1", "WAYMARK_BIN="+self)
	c.Stdout, c.Stderr = file, file
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var name string
	err = world.Until(2*time.Minute, "a running lab", func() (bool, error) {
		text, err := os.ReadFile(file.Name())
		if _, rest, ok := bytes.Cut(text, []byte("namespaces ")); ok {
			name, _, _ = strings.Cut(string(rest), "-*")
		}
		return bytes.Contains(text, []byte("✓ servers")), err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, name
}

// stays tells whether a namespace or the directory of a world is there.
func stays(name string) bool {
	ns, _ := filepath.Glob("/run/netns/" + name + "-*") // only a bad pattern is an error
	_, err := os.Stat(filepath.Join(world.RunRoot, name))
	return len(ns) > 0 || err == nil
}

func TestInterruptedLabCleansUp(t *testing.T) {
	c, name := theLab(t)
	if !stays(name) {
		t.Fatalf("no world %q while the lab runs", name)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != 1 {
		t.Errorf("interrupted lab: got %v, want exit code 1", err)
	}
	if stays(name) {
		t.Errorf("world %s is still there", name)
	}
}

// Whoever builds a world sweeps, tests of other packages too: there are rounds, in
// one of which nobody was faster than this test.
func TestKilledLabIsSweptByTheNext(t *testing.T) {
	found := false
	for round := 0; round < 3 && !found; round++ {
		c, name := theLab(t)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // "signal: killed"
		left, err := world.Leftovers()
		if err != nil {
			t.Fatal(err)
		}
		found = strings.Contains(strings.Join(left, "\n"), name)
		t.Logf("leftovers of a killed lab: %q", left)
		if err := world.Sweep(); err != nil {
			t.Error(err)
		}
		if stays(name) {
			t.Errorf("world %s is still there", name)
		}
	}
	if !found {
		t.Error("no leftovers of a killed lab")
	}
}
