package lane_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"waymark/net/netns"
	"waymark/svr/lane/lanetest"
)

// iperf runs one TCP stream from client to server and returns Gbit/s.
func iperf(t testing.TB, n *lanetest.Net, to string, seconds int, args ...string) float64 {
	t.Helper()
	srv := exec.Command("iperf3", "-s", "-1", "-p", "5201")
	if err := netns.Start(n.Server, srv); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	out := run(t, n.Client, "iperf3", append([]string{"-c", to, "-p", "5201", "-t", fmt.Sprint(seconds), "-J"}, args...)...)
	srv.Wait()
	var r struct {
		End struct {
			Received struct {
				Bits float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err, out)
	}
	return r.End.Received.Bits / 1e9
}

func TestIperf(t *testing.T) {
	n := lanetest.NewNet(t)
	guardRouter(t, n)
	hops := n.Start(t, nil)
	waitResolved(t, n, hops)
	for range 3 {
		t.Log("v4", iperf(t, n, "10.2.0.2", 2))
		t.Log("v4 -R", iperf(t, n, "10.2.0.2", 2, "-R"))
		t.Log("v6", iperf(t, n, "fd02::2", 2))
	}
	n.Lane.Do(func() {
		t.Logf("%+v", n.Lane.Counters())
		for _, p := range n.Lane.Ports() {
			t.Logf("%+v", p.Counters())
		}
	})
}
