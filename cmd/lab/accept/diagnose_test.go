package accept

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
)

// The diagnosis names what is broken on a live router, stage by stage, and a
// capture on one of its ports sees the traffic.
func TestDiagnosis(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	bin, err := s.w.Waymark()
	s.must(err)
	ask := func(args ...string) string {
		t.Helper()
		argv := append([]string{bin, "console", "-run", s.branch.Run, "-config", s.w.Path("branch1.json")}, args...)
		return s.exec(world.Branch, argv...)
	}
	verdict := func(want string) {
		t.Helper()
		var out string
		err := world.Until(patience, "verdict "+want, func() (bool, error) {
			out = ask("check")
			return strings.Contains(out, "Verdict: "+want), nil
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	s.up(s.branch, "lte")
	for _, dst := range []string{"10.20.0.5", "fd00:20::5", "192.0.2.10"} { // over SVR, and broken out
		if out := ask("service-ping", dst, "tenant", "corp", "count", "3"); !strings.Contains(out, "3 sent, 3 received") {
			t.Errorf("service-ping of %s: %s", dst, out)
		}
	}
	for args, want := range map[string]string{"10.20.0.5 tenant nobody": "no tenant", "10.20.0.5 tenant corp service-name internet": "belongs to service"} {
		out, err := s.w.Exec(world.Branch, append([]string{bin, "console", "-run", s.branch.Run, "service-ping"}, strings.Fields(args)...)...)
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("service-ping %s: %v, %s", args, err, out)
		}
	}
	verdict("DNS works in part: no network told a resolver")
	s.must(s.w.Carrier(world.ISPFiber, "branch", false))
	verdict("link works in part: lte; not of fiber (no-carrier); plug in the cable")
	s.must(s.w.Carrier(world.ISPLTE, "branch", false))
	verdict("link is broken: not of fiber (no-carrier), lte (no-carrier); plug in the cable")
	s.must(s.w.Carrier(world.ISPFiber, "branch", true))
	s.must(s.w.Carrier(world.ISPLTE, "branch", true))
	s.up(s.branch, "fiber")
	s.must(s.hub.Kill())
	// Nobody asks whether an idle metered path lives: somebody has to need it.
	needs, err := s.w.Start(world.Client, "ping", "-n", "-i", "0.5", "10.20.0.5")
	s.must(err)
	verdict("peers is broken: not hub1 over fiber")
	s.must(needs.Signal(os.Interrupt))
	<-needs.Done()

	// tcpdump reads what capture wrote.
	done := make(chan string, 1)
	go func() {
		done <- ask("capture", "lan", "count", "2", "seconds", "30", "file", "lan", "icmp", "host", "192.168.1.1")
	}()
	s.must(world.Until(patience, "a captured ping", func() (bool, error) {
		s.exec(world.Client, "ping", "-n", "-c", "1", "-W", "5", "192.168.1.1")
		select {
		case out := <-done:
			done <- out
			return true, nil
		default:
			return false, nil
		}
	}))
	if out := <-done; !strings.Contains(out, "2 frames") {
		t.Errorf("capture: %s", out)
	}
	out, err := exec.Command("tcpdump", "-n", "-r", s.branch.Run+"/captures/lan.pcap").CombinedOutput()
	if err != nil || strings.Count(string(out), "ICMP echo") != 2 {
		t.Errorf("tcpdump reads %s, %v", out, err)
	}
	if out := ask("save", "tech-support"); !strings.Contains(out, "without secrets") {
		t.Errorf("tech-support: %s", out)
	}
}
