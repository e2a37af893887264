package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"waymark/mgmt/config"
	"waymark/svr/packet"
	"waymark/svr/policy"
)

// reference answers Lookup by trying everything: slow, and written from the
// rules rather than from the tables.
type reference struct{ a *config.Authority }

// key ranks a match: bigger wins, compared from the left.
type key [6]int

func (k key) beats(o key) bool {
	for i := range k {
		if k[i] != o[i] {
			return k[i] > o[i]
		}
	}
	return false
}

func (r reference) lookup(tenant string, tu *packet.Tuple) (string, policy.Verdict) {
	var best key
	name, verdict, found := "", policy.NoRoute, false
	hidden := r.hidden(tu.DstAddr())
	if hidden >= 0 {
		verdict = policy.Prohibited
	}
	for i, s := range r.a.Services {
		deny, ok := access(s.AccessPolicies, tenant, tu.SrcAddr())
		if !ok {
			continue
		}
		for _, p := range s.Addresses {
			if !p.Contains(tu.DstAddr()) || s.Scope == config.ScopePublic && p.Bits() < hidden {
				continue
			}
			port, named, width, ok := transportKey(s.Transports, tu)
			k := key{port, p.Bits(), named, -width, strings.Count(s.Name, "."), -i}
			if !ok || found && !k.beats(best) {
				continue
			}
			best, found, name, verdict = k, true, s.Name, policy.Routed
			if deny {
				verdict = policy.Deny
			}
		}
	}
	return name, verdict
}

func (r reference) hidden(dst netip.Addr) int {
	bits := -1
	for _, s := range r.a.Services {
		for _, p := range s.Addresses {
			if s.Scope == config.ScopePrivate && p.Contains(dst) {
				bits = max(bits, p.Bits())
			}
		}
	}
	return bits
}

// transportKey returns the best match of the transports: with port 1 or 0, the
// protocol named 1 or 0, and the number of values it spans.
func transportKey(ts []config.Transport, tu *packet.Tuple) (port, named, width int, ok bool) {
	if len(ts) == 0 {
		return 0, 0, 255, true
	}
	width = 1 << 20
	for _, t := range ts {
		if n := t.Protocol.Number(tu.Family); n != tu.Proto {
			continue
		}
		if len(t.Ports) == 0 && port == 0 {
			named, width, ok = 1, 0, true
		}
		for _, p := range t.Ports {
			if w := int(p.End - p.Start); p.Contains(tu.DstPort) && (port == 0 || w < width) {
				port, named, width, ok = 1, 1, w, true
			}
		}
	}
	return port, named, width, ok
}

// access applies the most specific access-policy: longer source, nearer
// tenant, deny.
func access(list []config.AccessPolicy, tenant string, src netip.Addr) (deny, ok bool) {
	var best key
	for _, p := range list {
		k := key{0, -1 << 20, 0}
		if p.Prefix.IsValid() {
			if !p.Prefix.Contains(src) {
				continue
			}
			k[0] = 1 + p.Prefix.Bits()
		}
		if p.Tenant != "" {
			if tenant != p.Tenant && !strings.HasSuffix(tenant, "."+p.Tenant) {
				continue
			}
			k[1] = -strings.Count(strings.TrimSuffix(tenant, p.Tenant), ".")
		}
		if p.Deny {
			k[2] = 1
		}
		if !ok || k.beats(best) {
			best, deny, ok = k, p.Deny, true
		}
	}
	return deny, ok
}

var randomTenants = []string{"a", "b", "x.a", "y.x.a", "c"}

// randomAddr picks from few bits so that prefixes nest and hit.
func randomAddr(r *rand.Rand, six bool) netip.Addr {
	if six {
		return netip.AddrFrom16([16]byte{0xfd, byte(r.IntN(2)), 8: byte(r.IntN(2) * 128), 15: byte(r.IntN(4))})
	}
	return netip.AddrFrom4([4]byte{10, byte(r.IntN(2) * 128), byte(r.IntN(2)), byte(r.IntN(4))})
}

func randomPrefix(r *rand.Rand) netip.Prefix {
	six := r.IntN(4) == 0
	lens := []int{0, 8, 9, 16, 24, 30, 31, 32}
	if six {
		lens = []int{0, 8, 16, 64, 65, 127, 128}
	}
	p, _ := randomAddr(r, six).Prefix(lens[r.IntN(len(lens))])
	return p
}

func randomTransports(r *rand.Rand) (ts []config.Transport) {
	protos := []config.Protocol{config.ProtoTCP, config.ProtoUDP, config.ProtoICMP}
	for range r.IntN(3) {
		t := config.Transport{Protocol: protos[r.IntN(3)]}
		for range r.IntN(3) {
			if t.Protocol == config.ProtoICMP {
				break
			}
			start := uint16(1 + r.IntN(8))
			t.Ports = append(t.Ports, config.PortRange{Start: start, End: start + uint16(r.IntN(4))})
		}
		ts = append(ts, t)
	}
	return ts
}

func randomService(r *rand.Rand, i int) config.Service {
	s := svc(fmt.Sprintf("s%d", i), config.ScopePublic)
	if r.IntN(3) == 0 {
		s.Scope = config.ScopePrivate
	}
	for range 1 + r.IntN(3) {
		s.Addresses = append(s.Addresses, randomPrefix(r))
	}
	s.Transports = randomTransports(r)
	for range r.IntN(4) {
		p := config.AccessPolicy{Deny: r.IntN(4) == 0}
		if r.IntN(4) > 0 {
			p.Tenant = randomTenants[r.IntN(len(randomTenants))]
		}
		if p.Tenant == "" || r.IntN(3) == 0 {
			p.Prefix = randomPrefix(r)
		}
		s.AccessPolicies = append(s.AccessPolicies, p)
	}
	return s
}

func randomAuthority(r *rand.Rand) *config.Authority {
	var list []config.Service
	for i := range 1 + r.IntN(12) {
		list = append(list, randomService(r, i))
	}
	a := minimal(list...)
	for _, n := range randomTenants {
		a.Tenants = append(a.Tenants, config.Tenant{Name: n})
	}
	return a
}

func TestLookupAgainstReference(t *testing.T) {
	seen := map[policy.Verdict]int{}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 2))
		a := randomAuthority(r)
		b := build(t, a, "r")
		ref := reference{a}
		for range 200 {
			six := r.IntN(4) == 0
			proto := []uint8{1, 6, 6, 17, 47}[r.IntN(5)]
			if six && proto == 1 {
				proto = 58
			}
			tu := packet.MakeTuple(netip.AddrPortFrom(randomAddr(r, six), 9),
				netip.AddrPortFrom(randomAddr(r, six), uint16(r.IntN(13))), proto)
			name := append(randomTenants, policy.GlobalName)[r.IntN(len(randomTenants)+1)]
			id, got := b.Lookup(tenant(t, b, name), &tu)
			wantName, want := ref.lookup(name, &tu)
			seen[got]++
			if got != want || nameOf(b, id) != wantName {
				t.Fatalf("seed %d: %s %v: got %q %v, want %q %v", seed, name, tu, nameOf(b, id), got, wantName, want)
			}
		}
	}
	for _, v := range []policy.Verdict{policy.NoRoute, policy.Prohibited, policy.Deny, policy.Routed} {
		if seen[v] < 100 {
			t.Errorf("only %d lookups ended in %v: the test proves little", seen[v], v)
		}
	}
}
