package host

import (
	"encoding/hex"
	"testing"

	"waymark/mgmt/config"
	"waymark/net/dhcp4"
	"waymark/svr/policy"
)

// On a tag a lease is the lane's alone: neither address nor route nor guard is
// the kernel's, and what stands on the untagged device is no address of the tag.
func TestLeaseOnTagIsNotTheKernels(t *testing.T) {
	tables, v := acme(t, "branch1"), branchView()
	f := find(t, tables, "lte")
	f.VLAN = 35
	v.Leases = map[policy.IfID]*dhcp4.Lease{f.ID: {Address: prefix("100.64.0.33/24"), Gateway: address("100.64.0.1"), MTU: 1428}}
	s := v.State(f)
	if !s.Up || len(s.Addrs) != 1 || s.Addrs[0].Prefix != prefix("100.64.0.33/24") || s.MTU != 1428 {
		t.Errorf("state %+v", s)
	}
	for _, a := range wantAddresses(tables, v) {
		if a.Index == 4 {
			t.Errorf("address %v", a)
		}
	}
	for _, r := range wantRoutes(tables, v) {
		if r.Index == 4 {
			t.Errorf("route %v", r)
		}
	}
	if c := wantGuard(tables, v); len(c.Clients) != 0 {
		t.Errorf("guard %+v", c)
	}
}

func TestOverlap(t *testing.T) {
	for _, tt := range []struct{ lease, want string }{
		{"192.168.1.7/24", "lan"}, {"192.168.0.7/16", "lan"}, {"192.168.1.129/25", "lan"}, {"203.0.113.9/29", "fiber"},
		{"192.168.2.7/24", ""}, {"100.64.0.7/10", ""},
	} {
		tables, v := acme(t, "branch1"), branchView()
		f := find(t, tables, "lte")
		v.Leases = map[policy.IfID]*dhcp4.Lease{f.ID: {Address: prefix(tt.lease)}}
		if got := v.Overlapping(tables, f.ID); got != tt.want {
			t.Errorf("%s overlaps %q, want %q", tt.lease, got, tt.want)
		}
	}
}

func TestIdentity(t *testing.T) {
	tables := acme(t, "branch1")
	f, d := find(t, tables, "lte"), &dhcpClients{Config: Config{Tables: tables}}
	f.Config.DHCPClient = config.DHCPClient{VendorClass: "v", ClientID: config.ClientIDMAC, UserClasses: []string{"ab", "c"},
		Vendors: []config.VendorClass{{Enterprise: 3561, Data: "dsl"}}}
	id := d.identity(f, [6]byte{2, 0, 0, 0, 0, 1})
	for code, want := range map[uint8]string{optUserClass: "026162" + "0163", optVendorIdentifying: "00000de9" + "04" + "03" + "64736c"} {
		if got := hex.EncodeToString(id.Extra[code]); got != want {
			t.Errorf("option %d: %s, want %s", code, got, want)
		}
	}
	if id.VendorClass != "v" || hex.EncodeToString(id.ClientID) != "01020000000001" || id.Hostname != "branch1" {
		t.Errorf("identity %+v", id)
	}
	f.Config.DHCPClient = config.DHCPClient{ClientBytes: []byte{9, 9}}
	if id = d.identity(f, [6]byte{}); len(id.Extra) != 0 || string(id.ClientID) != "\x09\x09" {
		t.Errorf("identity %+v", id)
	}
}

// Where the box denies by default, the LAN's hosts reach its forwarder; nobody
// else does.
func TestDNSIsOpenedOnItsLAN(t *testing.T) {
	tables := acme(t, "branch1")
	if got := dnsOpenings(tables); len(got) != 0 {
		t.Errorf("without a service: %v", got)
	}
	find(t, tables, "lan").Config.HostServices = []config.HostService{{Type: config.ServeDNS, Enabled: true}, {Type: config.ServeDHCP, Enabled: true}}
	find(t, tables, "fiber").Config.HostServices = []config.HostService{{Type: config.ServeDNS}}
	got := dnsOpenings(tables)
	if len(got) != 2 || got[0].Interface != "lan0" || got[1].Interface != "lan0" || got[0].Protocol == got[1].Protocol || got[0].Port != 53 || got[1].Port != 53 {
		t.Errorf("opened %v", got)
	}
}
