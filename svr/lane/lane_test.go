package lane_test

import (
	"bytes"
	"os/exec"
	"testing"

	"waymark/net/netns"
	"waymark/svr/lane/lanetest"
)

func run(t testing.TB, ns, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := netns.Run(ns, cmd); err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out.String())
	}
	return out.String()
}

func TestForward(t *testing.T) {
	n := lanetest.NewNet(t)
	n.Start(t, nil)
	t.Log(run(t, n.Client, "ping", "-c", "3", "-i", "0.1", "-W", "2", "10.2.0.2"))
	t.Log(run(t, n.Client, "ping", "-c", "3", "-i", "0.1", "-W", "2", "fd02::2"))
}
