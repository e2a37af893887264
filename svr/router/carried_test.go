package router_test

import (
	"strings"
	"testing"

	"waymark/cmd/lab/world"
)

// ICMP errors between two routers whose network drops every ICMP: with
// encapsulate-icmp-error-messages they travel all the same, and a traceroute over
// SVR shows the far router and arrives.
func TestCarriedErrors(t *testing.T) { onBothLanes(t, testCarriedErrors) }

func testCarriedErrors(t *testing.T, lanes string) {
	w := worldOf(t, lanes, world.Options{})
	nft(t, w, world.ISPFiber, "table inet mute { chain f { type filter hook forward priority 0; policy accept; meta l4proto icmp drop; }; "+
		"chain o { type filter hook output priority 0; policy accept; meta l4proto icmp drop; }; }")
	config := acmeWith(t, tree{"encapsulate-icmp-error-messages": true, "bfd": quick["bfd"]}, nil)
	hub := start(t, w, "hub1", world.Hub, config)
	branch := start(t, w, "branch1", world.Branch, config)
	peersUp(t, branch)
	trace := func(args ...string) string {
		t.Helper()
		out, err := w.Exec(world.Client, append([]string{"traceroute", "-n", "-q", "1", "-w", "3", "-m", "5"}, args...)...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	out := trace("10.20.0.5")
	if !strings.Contains(out, " 198.51.100.2 ") || !strings.HasPrefix(lastLine(out), " 4  10.20.0.5 ") {
		t.Errorf("traceroute does not show the hub and the server:\n%s", out)
	}
	var sent, got float64
	err := world.Until(patience, "every error carried to be received", func() (bool, error) {
		sent, got = stats(t, hub)["icmp/sent-carried"], stats(t, branch)["icmp/received-carried"]
		return sent > 0 && got == sent, nil
	})
	if err != nil {
		t.Errorf("%v: %v errors carried, %v received\n%s", err, sent, got, out)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return lines[len(lines)-1]
}
