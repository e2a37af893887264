package rule_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/rtnl"
	"waymark/net/rule"
)

func from(src string, table, priority uint32) rule.Rule {
	return rule.Rule{Source: netip.MustParsePrefix(src), Table: table, Priority: priority}
}

func TestMakePlan(t *testing.T) {
	a, b := from("192.0.2.1/32", 1000, 10), from("192.0.2.2/32", 1001, 11)
	moved := from("192.0.2.1/32", 1001, 10)
	for _, tt := range []struct {
		name       string
		ours, want []rule.Rule
		plan       rule.Plan
	}{
		{"nothing", nil, nil, rule.Plan{}},
		{"there", []rule.Rule{b, a}, []rule.Rule{a, b}, rule.Plan{}},
		{"new", nil, []rule.Rule{b, a}, rule.Plan{Add: []rule.Rule{a, b}}},
		{"old", []rule.Rule{a}, nil, rule.Plan{Remove: []rule.Rule{a}}},
		{"another table", []rule.Rule{a}, []rule.Rule{moved}, rule.Plan{Add: []rule.Rule{moved}, Remove: []rule.Rule{a}}},
		{"there twice", []rule.Rule{a, a}, []rule.Rule{a}, rule.Plan{Remove: []rule.Rule{a}}},
	} {
		got := rule.MakePlan(tt.ours, tt.want)
		if len(got.Add) != len(tt.plan.Add) || len(got.Remove) != len(tt.plan.Remove) ||
			len(got.Add) > 0 && !reflect.DeepEqual(got.Add, tt.plan.Add) || len(got.Remove) > 0 && !reflect.DeepEqual(got.Remove, tt.plan.Remove) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.plan)
		}
	}
}

// Apply makes and unmakes our rules, twice changes nothing, and a rule of
// somebody else with the same source stays.
func TestApply(t *testing.T) {
	ns := nstest.New(t)
	if out, err := exec.Command("ip", "-n", ns, "rule", "add", "from", "192.0.2.1", "lookup", "77", "priority", "500").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	err := netns.Do(ns, func() error {
		c, err := rtnl.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		for _, want := range [][]rule.Rule{
			{from("192.0.2.1/32", 22272, 22272), from("2001:db8::1/128", 22272, 22272)},
			{from("192.0.2.1/32", 100, 22272), from("192.0.2.0/24", 22273, 22273)},
			nil,
		} {
			if _, err := rule.Apply(c, want); err != nil {
				return err
			}
			if p, err := rule.Apply(c, want); err != nil || !p.Empty() {
				return fmt.Errorf("second apply of %+v: %+v, %w", want, p, err)
			}
			got, err := rule.List(c)
			if err != nil || len(got) != len(want) {
				return fmt.Errorf("got %+v, %w, want %+v", got, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ip", "-n", ns, "rule", "show").CombinedOutput()
	if err != nil || strings.Count(string(out), "\n") != 4 || !strings.Contains(string(out), "from 192.0.2.1 lookup 77") {
		t.Errorf("rules left: %s, %v", out, err)
	}
}
