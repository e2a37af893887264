package lte

import (
	"bytes"
	"context"
	"os"
	"testing"

	"waymark/cmd/lab/emulate"
	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/svr/path/ambient"
)

// answered is how many packets of questions about a NAT are more than a peer gets
// that never answers: seven ports, each opened three times.
const answered = 7*3 + 1

// The carrier's access is a VLAN: questions about its NAT are answered there, too,
// and the bytes of the month are counted.
func TestMeteredVLAN(t *testing.T) {
	t.Parallel()
	config := world.Acme()
	for old, with := range map[string]string{
		`"dhcp": "v4",`:                          `"vlan": 35, "address": [{"ip-address": "100.64.0.10", "prefix-length": 24, "gateway": "100.64.0.1"}],`,
		`"name": "lte", "inter-router-security"`: `"name": "lte", "waymark": {"data-quota": 100}, "inter-router-security"`,
	} {
		if bytes.Count(config, []byte(old)) != 1 {
			t.Fatalf("the example has %s %d times", old, bytes.Count(config, []byte(old)))
		}
		config = bytes.ReplaceAll(config, []byte(old), []byte(with))
	}
	s := newSite(t, config, func(s *site) {
		s.must(s.w.SetSysctls(world.ISPLTE, "net/netfilter/nf_conntrack_udp_timeout_stream=20"))
		middle, trunk, port, err := s.w.SplitCable(world.Branch, "wan1")
		s.must(err)
		s.must(s.w.IP(world.Branch, "address flush dev wan1"))
		_, err = emulate.Switch(s.w, middle, trunk, emulate.Port{Dev: port, VLAN: 35})
		s.must(err)
	})
	if _, err := traffic.Serve(s.w, world.Server, "-sink", "10.20.0.5:9"); err != nil {
		t.Fatal(err)
	}
	const mega = 4
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := traffic.PutPaced(ctx, s.w, world.Client, "10.20.0.5:9", mega*1e6, 20)
	s.must(err)
	used := 0.0
	s.must(world.Until(patience, "the bytes of the transfer", func() (bool, error) {
		for _, r := range s.show(s.branch, "network-interface", "detail") {
			if n, ok := r["month-used-mb"].(float64); ok && r["name"] == "lte" {
				used = n
			}
		}
		return used >= mega, nil
	}))
	if used > 1.15*mega {
		t.Errorf("%.2f MB counted, %d sent", used, mega)
	}
	probes := 0.0
	err = world.Until(patience, "questions about the NAT, and answers", func() (bool, error) {
		probes, _ = s.ledger()[ambient.NATProbe]["events"].(float64)
		return probes >= answered, nil
	})
	if err != nil {
		t.Fatalf("%v; %.0f packets", err, probes)
	}
	t.Logf("%.2f MB counted of %d sent", used, mega)
	if os.Getenv("SOAK") != "" { // what follows from the answers is TestNATLifetime's otherwise
		s.must(world.Until(4*patience, "the lifetime of the NAT", func() (bool, error) {
			return s.lte()["nat-lifetime-s"] != nil, nil
		}))
		if n := s.lte()["nat-lifetime-s"].(float64); n < 18 || n > 20.2 {
			t.Errorf("20 s learned as %.1f", n)
		}
	}
	s.neverDown()
}
