package vlan

import (
	"encoding/binary"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"waymark/net/rtnl"
)

func TestMakePlan(t *testing.T) {
	a, b := Device{Name: "eth0.7", Parent: 2, Tag: 7}, Device{Name: "eth0.8", Parent: 2, Tag: 8}
	moved := Device{Name: "eth0.7", Parent: 3, Tag: 7} // the port was replaced
	for _, row := range []struct {
		name       string
		ours, want []Device
		plan       Plan
	}{
		{"nothing", nil, nil, Plan{}},
		{"there", []Device{b, a}, []Device{a, b}, Plan{}},
		{"new", nil, []Device{b, a}, Plan{Add: []Device{a, b}}},
		{"old", []Device{b, a}, []Device{b}, Plan{Remove: []Device{a}}},
		{"another port", []Device{a}, []Device{moved}, Plan{Add: []Device{moved}, Remove: []Device{a}}},
	} {
		if got := MakePlan(row.ours, row.want); !reflect.DeepEqual(got, row.plan) || got.Empty() != (len(row.plan.Add)+len(row.plan.Remove) == 0) {
			t.Errorf("%s: got %+v, want %+v", row.name, got, row.plan)
		}
	}
}

// What the kernel tells of links. That it makes and removes them is tested where
// it has 8021q: image/pppoe.
func TestParse(t *testing.T) {
	tell := func(name, kind, alias string, tag uint16) []byte {
		data := rtnl.NewBody(nil).Bytes(unix.IFLA_VLAN_ID, binary.NativeEndian.AppendUint16(nil, tag))
		info := rtnl.NewBody(nil).String(unix.IFLA_INFO_KIND, kind).Nest(unix.IFLA_INFO_DATA, data)
		return rtnl.NewBody(make([]byte, unix.SizeofIfInfomsg)).String(unix.IFLA_IFNAME, name).U32(unix.IFLA_LINK, 3).
			String(unix.IFLA_IFALIAS, alias).Nest(unix.IFLA_LINKINFO, info).Data()
	}
	for _, row := range []struct {
		name string
		msg  []byte
		ours bool
	}{
		{"ours", tell("eth0.7", "vlan", "waymark", 7), true},
		{"somebody else's", tell("eth0.7", "vlan", "office", 7), false},
		{"another kind", tell("eth0.7", "macvlan", "waymark", 7), false},
		{"too short", make([]byte, unix.SizeofIfInfomsg-1), false},
		{"nothing but a header", make([]byte, unix.SizeofIfInfomsg), false},
	} {
		d, ours := parse(row.msg)
		if ours != row.ours || ours && d != (Device{"eth0.7", 3, 7}) {
			t.Errorf("%s: got %+v, %t, want %t", row.name, d, ours, row.ours)
		}
	}
}
