package fast_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/svr/lane/fast"
	"waymark/svr/lane/fast/fasttest"
	"waymark/svr/packet"
)

// BenchmarkTCP prints Gbit/s of one iperf3 stream (RUNS rounds of SECONDS) and
// the paired ratio to kernel forwarding.
func BenchmarkTCP(b *testing.B) {
	kernel, lane := fasttest.NewRow(b), fasttest.NewRow(b)
	fasttest.Run(b, kernel.Router, "sysctl -qw net.ipv4.ip_forward=1")
	w := &world{t: b, ns: lane.Router}
	w.open(fast.Config{})
	r := &relay{w: w}
	r.start(b, lane)
	w.connect(lane, false)
	setPorts(b, lane.Client, "41000 41254")
	for i := range 320 { // control connections, and 64 for the data
		src := fmt.Sprintf("10.1.0.2:%d", 40936+i)
		w.session(tuple(packet.ProtoTCP, src, "10.2.0.2:5201"), tuple(packet.ProtoTCP, fmt.Sprintf("10.2.0.1:%d", 16386+2*i), "10.2.0.2:5201"), fast.Fast|1500)
	}
	var k, l, ratio []float64
	for i := range env("ROUNDS", 7) {
		a, c := iperf(b, kernel, i), iperf(b, lane, i)
		k, l, ratio = append(k, a), append(l, c), append(ratio, c/a)
	}
	fmt.Printf("kernel %.2f Gbit/s, lane %.2f Gbit/s, ratio %.2f [%.2f..%.2f]\n", median(k), median(l), median(ratio), slices.Min(ratio), slices.Max(ratio))
}

func iperf(t testing.TB, row *fasttest.Row, round int) float64 {
	srv := exec.Command("iperf3", "-s", "-1", "-J")
	if err := netns.Start(row.Server, srv); err != nil {
		t.Fatal(err)
	}
	defer srv.Wait()
	var r struct {
		Error string
		End   struct {
			Received struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	for try := 0; r.End.Received.Rate == 0; try++ { // until the server listens
		cmd := exec.Command("iperf3", "-c", "10.2.0.2", "--cport", fmt.Sprint(40936+round), "-t", fmt.Sprint(env("SECONDS", 2)), "-O", "1", "-J")
		var out bytes.Buffer
		cmd.Stdout = &out
		_ = netns.Run(row.Client, cmd) // the output tells more
		if err := json.Unmarshal(out.Bytes(), &r); err != nil || try == 100 {
			t.Fatalf("iperf3: %v: %s", err, out.Bytes())
		}
	}
	return r.End.Received.Rate / 1e9
}

func setPorts(t testing.TB, ns, ports string) {
	t.Helper()
	nstest.In(t, ns, func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte(ports), 0o644)
	})
}
