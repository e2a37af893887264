package fasttest

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"waymark/net/link"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/svr/lane/lanetest/gen"
)

// Row is three namespaces: client (c0) - router (a0, a1) - server (s0), with
// 10.1.0.0/24 and fd01::/64 on the left, 10.2.0.0/24 and fd02::/64 on the right;
// the router has .1, the hosts have .2. Neighbours are permanent.
type Row struct {
	Client, Router, Server string
	C0, A0, A1, S0         link.Link
}

// NewRow makes the namespaces and links; the router forwards nothing.
func NewRow(t testing.TB) *Row {
	t.Helper()
	r := &Row{Client: nstest.New(t), Router: nstest.New(t), Server: nstest.New(t)}
	p := func(list ...string) (out []netip.Prefix) {
		for _, s := range list {
			out = append(out, netip.MustParsePrefix(s))
		}
		return out
	}
	nstest.Veth(t, netns.End{NS: r.Client, Name: "c0", Addrs: p("10.1.0.2/24", "fd01::2/64")},
		netns.End{NS: r.Router, Name: "a0", Addrs: p("10.1.0.1/24", "fd01::1/64")})
	nstest.Veth(t, netns.End{NS: r.Router, Name: "a1", Addrs: p("10.2.0.1/24", "fd02::1/64")},
		netns.End{NS: r.Server, Name: "s0", Addrs: p("10.2.0.2/24", "fd02::2/64")})
	r.C0, r.A0 = gen.Link(t, r.Client, "c0"), gen.Link(t, r.Router, "a0")
	r.A1, r.S0 = gen.Link(t, r.Router, "a1"), gen.Link(t, r.Server, "s0")
	for _, n := range []struct {
		ns, dev, addr string
		mac           [6]byte
	}{
		{r.Client, "c0", "10.1.0.1", r.A0.MAC}, {r.Client, "c0", "fd01::1", r.A0.MAC},
		{r.Router, "a0", "10.1.0.2", r.C0.MAC}, {r.Router, "a0", "fd01::2", r.C0.MAC},
		{r.Router, "a1", "10.2.0.2", r.S0.MAC}, {r.Router, "a1", "fd02::2", r.S0.MAC},
		{r.Server, "s0", "10.2.0.1", r.A1.MAC}, {r.Server, "s0", "fd02::1", r.A1.MAC},
	} {
		Run(t, n.ns, "ip neigh replace %s lladdr %s dev %s nud permanent", n.addr, mac(n.mac), n.dev)
	}
	Run(t, r.Client, "ip route add default via 10.1.0.1")
	Run(t, r.Client, "ip -6 route add default via fd01::1")
	Run(t, r.Server, "ip route add default via 10.2.0.1")
	Run(t, r.Server, "ip -6 route add default via fd02::1")
	return r
}

// Run runs a command in a namespace and fails the test with its output.
func Run(t testing.TB, ns, format string, args ...any) string {
	t.Helper()
	f := strings.Fields(fmt.Sprintf(format, args...))
	cmd := exec.Command(f[0], f[1:]...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := netns.Run(ns, cmd); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(f, " "), err, out.String())
	}
	return out.String()
}

func mac(m [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}
