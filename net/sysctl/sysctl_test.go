package sysctl_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/sysctl"
)

func TestRouter(t *testing.T) {
	got := sysctl.Router([]sysctl.Interface{{Name: "lan0"}, {Name: "wan0", AcceptRA: true}},
		[]sysctl.Range{{12000, 12100}, {11000, 11000}, {12101, 12200}, {12050, 12060}})
	for _, want := range []sysctl.Setting{
		{"net/ipv4/ip_local_port_range", "10000\t16383"},
		{"net/ipv4/ip_local_reserved_ports", "11000,12000-12200"},
		{"net/ipv4/conf/lan0/forwarding", "0"},
		{"net/ipv6/conf/lan0/forwarding", "0"},
		{"net/ipv4/conf/wan0/rp_filter", "0"},
		{"net/ipv6/conf/lan0/accept_ra", "0"},
		{"net/ipv6/conf/wan0/accept_ra", "1"},
	} {
		if !slices.Contains(got, want) {
			t.Errorf("missing %v in %v", want, got)
		}
	}
}

func value(path string) string {
	b, _ := os.ReadFile("/proc/sys/" + path)
	return strings.TrimSpace(string(b))
}

// snapshot reads the parameters of a list.
func snapshot(list []sysctl.Setting) (values []string) {
	for _, s := range list {
		values = append(values, value(s.Path))
	}
	return values
}

// Apply twice, a changed wish, a kill in between, Restore: all values are as
// they were.
func TestApplyAndRestore(t *testing.T) {
	ns, far := nstest.New(t), nstest.New(t)
	nstest.Veth(t, netns.End{NS: ns, Name: "lan0", Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}},
		netns.End{NS: far, Name: "v1"})
	file := filepath.Join(t.TempDir(), "sysctl.json")
	list := sysctl.Router([]sysctl.Interface{{Name: "lan0"}}, []sysctl.Range{{12000, 12100}})
	nstest.In(t, ns, func() error {
		for path, v := range map[string]string{"net/ipv4/conf/lan0/forwarding": "1", "net/ipv4/conf/lan0/rp_filter": "2",
			"net/ipv4/conf/all/rp_filter": "1", "net/ipv6/conf/lan0/forwarding": "1"} {
			if err := os.WriteFile("/proc/sys/"+path, []byte(v), 0o644); err != nil {
				return err
			}
		}
		before := snapshot(list)
		// The second Apply is that of a run after a kill: it finds the file.
		for range 2 {
			if err := sysctl.Apply(file, list); err != nil {
				return err
			}
			for _, s := range list {
				if got := value(s.Path); got != s.Value {
					return fmt.Errorf("%s: got %q, want %q", s.Path, got, s.Value)
				}
			}
		}
		if err := sysctl.Apply(file, list[:2]); err != nil {
			return err
		}
		if got := snapshot(list[2:]); !slices.Equal(got, before[2:]) {
			return fmt.Errorf("no longer wanted: got %q, want %q", got, before[2:])
		}
		if err := sysctl.Apply(file, list); err != nil {
			return err
		}
		for range 2 {
			if err := sysctl.Restore(file); err != nil {
				return err
			}
		}
		if got := snapshot(list); !slices.Equal(got, before) {
			return fmt.Errorf("after restore: got %q, want %q", got, before)
		}
		return nil
	})
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("state file after restore: %v", err)
	}
}

func TestInterfaceThatWent(t *testing.T) {
	ns := nstest.New(t)
	file := filepath.Join(t.TempDir(), "sysctl.json")
	nstest.In(t, ns, func() error {
		return errors.Join(sysctl.Apply(file, []sysctl.Setting{{"net/ipv4/conf/gone0/forwarding", "0"}}), sysctl.Restore(file))
	})
}

func TestDamagedState(t *testing.T) {
	for name, s := range map[string]string{
		"cut":           `{"net/ipv4/x": "1`,
		"outside":       `{"net/../kernel/core_pattern": "|/bin/x"}`,
		"not a network": `{"kernel/core_pattern": "x"}`,
	} {
		file := filepath.Join(t.TempDir(), "sysctl.json")
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := sysctl.Restore(file); err == nil {
			t.Errorf("%s: restored", name)
		}
	}
}
