package lte

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
)

// The bytes of the month are counted over a kill, and raise alarms at 80 and 95 %
// of the quota.
func TestQuota(t *testing.T) {
	t.Parallel()
	config := bytes.ReplaceAll(world.Acme(), []byte(`"billing-type": "metered"`),
		[]byte(`"billing-type": "metered", "waymark": {"data-quota": 10}`))
	s := newSite(t, config, nil)
	if _, err := traffic.Serve(s.w, world.Server, "-sink", "10.20.0.5:9"); err != nil {
		t.Fatal(err)
	}
	send := func(mega float64) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := traffic.Put(ctx, s.w, world.Client, "10.20.0.5:9", int64(mega*1e6))
		s.must(err)
	}
	alarms := func(want ...string) {
		t.Helper()
		var have []string
		err := world.Until(patience, fmt.Sprint("alarms ", want), func() (bool, error) {
			have = nil
			for _, a := range s.show(s.branch, "alarms") {
				if m := a["message"].(string); strings.Contains(m, "data quota") {
					have = append(have, a["severity"].(string))
				}
			}
			return fmt.Sprint(have) == fmt.Sprint(want), nil
		})
		if err != nil {
			t.Fatalf("%v; there are %v", err, have)
		}
	}
	used := func() float64 {
		for _, r := range s.show(s.branch, "network-interface", "detail") {
			if r["name"] == "lte" {
				return r["month-used-mb"].(float64)
			}
		}
		t.Fatal("no interface lte")
		return 0
	}
	send(7)
	alarms()
	send(1.4)
	alarms("minor")
	s.must(world.Until(patience, "the count on the disk", func() (bool, error) {
		b, _ := os.ReadFile(s.branch.Run + "/router.usage.json")
		return strings.Contains(string(b), `"lte"`), nil
	}))
	before := used()
	s.must(s.branch.Kill())
	s.branch = s.start("branch1", world.Branch)
	s.lteUp()
	if again := used(); again < before || again > before+0.2 {
		t.Errorf("%.2f MB after a kill, %.2f before", again, before)
	}
	alarms("minor")
	send(1.2)
	alarms("minor", "major")
	t.Logf("%.2f MB used of 10, %.2f before the kill", used(), before)
}
