package ambient_test

import (
	"math"
	"strings"
	"testing"

	"waymark/svr/path/ambient"
)

// The vendor's settings cost what was worked out from its documents.
func TestVendor(t *testing.T) {
	for _, row := range []struct {
		name  string
		costs map[string]ambient.Cost
		mega  float64
	}{
		{"defaults", ambient.VendorDefault.Costs(), 1629},
		{"LTE profile", ambient.VendorLTE.Costs(), 62},
	} {
		if got := ambient.Total(row.costs) / 1e6; math.Abs(got-row.mega) > 0.005*row.mega {
			t.Errorf("%s: %.1f MB, want %.0f", row.name, got, row.mega)
		}
	}
}

// The budget of an idle path.
func TestThrift(t *testing.T) {
	for _, row := range []struct{ lifetime, budget float64 }{{20, 7}, {40, 5}, {300, 5}} {
		c := ambient.Thrift{Idle: 300, KeepAlive: 0.8 * 0.91 * row.lifetime, TestEvery: 86400, TestLen: 10}.Costs()
		if got := ambient.Total(c) / 1e6; got > row.budget {
			t.Errorf("NAT of %.0f s: %.2f MB, want %.0f at most", row.lifetime, got, row.budget)
		}
	}
}

func TestLedger(t *testing.T) {
	l := ambient.NewLedger()
	k := ambient.Key{Interface: "lte", Subject: "hub1", Channel: ambient.BFD}
	for range 10 {
		l.Counter(k).Add(96)
	}
	l.Counter(ambient.Key{Interface: "lte", Channel: ambient.DHCP}).Add(328)
	rows := l.Rows(1500)
	if len(rows) != 2 || rows[0].Channel != ambient.DHCP || rows[1].Key != k {
		t.Fatalf("rows %+v", rows)
	}
	if r := rows[1]; r.Daily() != 576 || r.PerEvent() != 96 || r.Monthly() != 576*30*96 {
		t.Errorf("%+v: %v a day, %v each, %v a month", r, r.Daily(), r.PerEvent(), r.Monthly())
	}
	var none *ambient.Ledger
	none.Counter(k).Add(1) // nobody counts
}

func FuzzParse(f *testing.F) {
	b, _ := ambient.Marshal([]ambient.Row{{Key: ambient.Key{Interface: "lte", Subject: "c1", Channel: "ssh"}, Events: 3, Bytes: 300, Seconds: 60}})
	f.Add(b)
	f.Add([]byte(`[{"channel":"` + strings.Repeat("x", 200) + `"}]`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := ambient.Parse(b)
		if err != nil {
			return
		}
		again, err := ambient.Marshal(rows)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ambient.Parse(again); err != nil && len(again) <= ambient.MaxFile {
			t.Errorf("own words are not understood: %v", err)
		}
	})
}
