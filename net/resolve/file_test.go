package resolve_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"waymark/net/resolve"
)

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path, conf := filepath.Join(dir, "resolv.json"), filepath.Join(dir, "resolv.conf")
	a := netip.MustParseAddr
	f := resolve.File{WANs: []resolve.WAN{
		{Interface: "fiber", Device: "wan0", Addresses: []netip.Addr{a("203.0.113.2"), a("2001:db8::2")}, Domain: "isp.example",
			Resolvers: []netip.Addr{a("9.9.9.9"), a("2001:db8::53"), a("8.8.8.8"), a("1.1.1.1")}, TimeServers: []netip.Addr{}},
		{Interface: "lte", Device: "wan1", Addresses: []netip.Addr{a("100.64.0.7")}, Metered: true, Resolvers: []netip.Addr{a("9.9.9.9")},
			TimeServers: []netip.Addr{a("100.64.0.1")}, Conductors: []string{"c.example"}, ConductorKey: []byte{1}}}}
	if err := f.Write(path, conf); err != nil {
		t.Fatal(err)
	}
	got, err := resolve.Read(path)
	if err != nil || !reflect.DeepEqual(*got, f) {
		t.Errorf("read %+v, %v", got, err)
	}
	want := []resolve.Upstream{{Server: a("9.9.9.9"), Source: a("203.0.113.2"), WAN: "fiber"}, {Server: a("2001:db8::53"), Source: a("2001:db8::2"), WAN: "fiber"},
		{Server: a("8.8.8.8"), Source: a("203.0.113.2"), WAN: "fiber"}, {Server: a("1.1.1.1"), Source: a("203.0.113.2"), WAN: "fiber"},
		{Server: a("9.9.9.9"), Source: a("100.64.0.7"), WAN: "lte"}}
	if ups := got.Upstreams(); !reflect.DeepEqual(ups, want) {
		t.Errorf("upstreams %v", ups)
	}
	text, err := os.ReadFile(conf)
	if err != nil || !strings.HasSuffix(string(text), "search isp.example\nnameserver 9.9.9.9\nnameserver 2001:db8::53\nnameserver 8.8.8.8\n") {
		t.Errorf("resolv.conf: %s, %v", text, err)
	}
	if c := (&resolve.File{}).Conf(); strings.Contains(c, "nameserver") {
		t.Errorf("without WAN: %s", c)
	}
	for name, text := range map[string]string{"broken": "{", "huge": strings.Repeat(" ", 100<<10)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := resolve.Read(path); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestLookupWithoutAsking(t *testing.T) {
	c := resolve.NewClient()
	if got, err := c.Lookup(context.Background(), "192.0.2.1"); err != nil || len(got) != 1 {
		t.Errorf("an address: %v, %v", got, err)
	}
	for _, name := range []string{"nobody.example", strings.Repeat("a", 300), ""} {
		if got, err := c.Lookup(context.Background(), name); err == nil {
			t.Errorf("%q: %v", name, got)
		}
	}
}
