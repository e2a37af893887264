package policy_test

import (
	"fmt"
	"net/netip"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/packet"
	"waymark/svr/policy"
)

func TestQuestionsAllocateNothing(t *testing.T) {
	b := build(t, order(), "r")
	w := build(t, ways("proportional", config.Vector{Name: "v1", Cost: 1}), "r")
	src, _ := packet.FromAddr(netip.MustParseAddr("10.1.1.1"))
	hit, miss := tuple("9.9.9.9", "10.2.0.1", 6, 1500), tuple("9.9.9.9", "10.9.1.1", 6, 443)
	name := []byte("vault")
	up := upSet(0b11111)
	for what, f := range map[string]func(){
		"Lookup hit":     func() { b.Lookup(1, hit) },
		"Lookup miss":    func() { b.Lookup(1, miss) },
		"TenantByName":   func() { b.TenantByName(name) },
		"ServiceByName":  func() { b.ServiceByName(name) },
		"PeerByName":     func() { b.PeerByName(name) },
		"ClassifyTenant": func() { b.ClassifyTenant(0, src, 4) },
		"Choose":         func() { w.Choose(0, noPath, up, 3) },
		"Timeout":        func() { b.Timeout(0, 6, 80) },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", what, got)
		}
	}
}

// large has many services on few prefix lengths, for one tenant.
func large(n int) *config.Authority {
	var list []config.Service
	for i := range n {
		s := svc(fmt.Sprintf("s%d", i), config.ScopePrivate)
		for j := range 10 {
			p, _ := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), byte(j * 16)}).Prefix(20 + j)
			s.Addresses = append(s.Addresses, p)
		}
		if i%2 == 0 {
			s.Transports = tcp(uint16(1+i), uint16(1+i))
		}
		list = append(list, with(s, s.Transports, "a"))
	}
	a := minimal(list...)
	a.Tenants = []config.Tenant{{Name: "a"}}
	return a
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 1000} {
		tables, err := policy.Build(large(n), "r", "")
		if err != nil {
			b.Fatal(err)
		}
		tu := tuple("9.9.9.9", "10.0.5.1", 6, 80)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tables.Lookup(1, tu)
			}
		})
	}
}
