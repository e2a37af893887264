package diagnose_test

import (
	"errors"
	"strings"
	"testing"

	"waymark/mgmt/console/diagnose"
)

// well is a box on which everything works.
func well() *diagnose.Facts {
	return &diagnose.Facts{
		Interfaces: []diagnose.Interface{{Name: "lan", Up: true, Answers: true}, {Name: "fiber", WAN: true, Up: true, Gateway: "203.0.113.1", Answers: true},
			{Name: "lte", WAN: true, Up: true, Gateway: "100.64.0.1", Answers: true}},
		Resolvers: []string{"192.0.2.53"}, TimeServers: 2, Synced: true,
		Conductors: []diagnose.Reach{{Name: "c1", Up: true}},
		Peers:      []diagnose.Reach{{Name: "hub1 fiber", Up: true}, {Name: "hub1 lte", Up: true}},
		Services:   []diagnose.Reach{{Name: "internet", Up: true}},
	}
}

// The verdict names the first broken stage, from the cable to the service.
func TestVerdict(t *testing.T) {
	down := func(f *diagnose.Facts, reason string, n ...int) {
		for _, i := range n {
			f.Interfaces[i].Up, f.Interfaces[i].Reason = false, reason
		}
	}
	for name, row := range map[string]struct {
		change func(f *diagnose.Facts)
		want   string // begins with
		and    string // contains
	}{
		"well":            {func(*diagnose.Facts) {}, "everything works", ""},
		"no router":       {func(f *diagnose.Facts) { f.Router = errors.New("nobody listens") }, "router is broken: nobody listens", "log router"},
		"no cable":        {func(f *diagnose.Facts) { down(f, "no-carrier", 1, 2); f.DNSError = "silent" }, "link is broken: not of fiber (no-carrier), lte (no-carrier)", "plug in"},
		"one cable":       {func(f *diagnose.Facts) { down(f, "no-carrier", 1) }, "link works in part: lte; not of fiber (no-carrier)", "plug in"},
		"LAN alone":       {func(f *diagnose.Facts) { down(f, "no-carrier", 0) }, "everything works", ""},
		"no port":         {func(f *diagnose.Facts) { down(f, "no-device", 1, 2) }, "link is broken", "target-interface"},
		"no lease":        {func(f *diagnose.Facts) { down(f, "no-address", 1, 2) }, "address is broken: not of fiber (no-address)", "show dhcp"},
		"one cable, DNS":  {func(f *diagnose.Facts) { down(f, "no-carrier", 1); f.DNSError = "no answer" }, "DNS is broken: no answer", "192.0.2.53"},
		"silent gateway":  {func(f *diagnose.Facts) { f.Interfaces[1].Answers = false }, "gateway works in part", "203.0.113.1"},
		"silent gateways": {func(f *diagnose.Facts) { f.Interfaces[1].Answers, f.Interfaces[2].Answers = false, false }, "gateway works in part", ""},
		"no resolver":     {func(f *diagnose.Facts) { f.Resolvers = nil }, "DNS works in part", "dns-config"},
		"clock":           {func(f *diagnose.Facts) { f.Synced = false }, "clock is broken", "show ntp"},
		"no time server":  {func(f *diagnose.Facts) { f.TimeServers, f.Synced = 0, false }, "everything works", ""},
		"conductor":       {func(f *diagnose.Facts) { f.Conductors[0] = diagnose.Reach{Name: "c1", Why: "refused"} }, "conductor is broken: not c1 (refused)", "930"},
		"unmanaged":       {func(f *diagnose.Facts) { f.Conductors = nil }, "everything works", ""},
		"one path":        {func(f *diagnose.Facts) { f.Peers[1].Up = false }, "peers works in part: 1 of 2; not hub1 lte", "show bfd"},
		"no path":         {func(f *diagnose.Facts) { f.Peers[0].Up, f.Peers[1].Up = false, false }, "peers is broken", "show bfd"},
		"no service":      {func(f *diagnose.Facts) { f.Services[0].Up = false }, "services is broken: not internet", "service-path"},
		"nothing":         {func(f *diagnose.Facts) { *f = diagnose.Facts{} }, "link is broken", "configure"},
		"many":            {func(f *diagnose.Facts) { f.Services = make([]diagnose.Reach, 50) }, "services is broken", "and 46 more"},
	} {
		f := well()
		row.change(f)
		got := diagnose.Verdict(diagnose.Run(f))
		if !strings.HasPrefix(got, row.want) || !strings.Contains(got, row.and) {
			t.Errorf("%s: %q, want %q … %q", name, got, row.want, row.and)
		}
	}
}
