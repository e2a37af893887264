package sysctl

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Setting is one parameter: its path below /proc/sys with slashes, its value.
type Setting struct {
	Path  string
	Value string
}

// Range is a range of ports, both ends included.
type Range struct{ First, Last uint16 }

// OwnPorts are the source ports of the box's own sockets (docs/wire.md 8).
var OwnPorts = Range{10000, 16383}

// Interface is a Linux interface the router forwards on.
type Interface struct {
	Name     string
	AcceptRA bool // take addresses and routes from router advertisements
}

// Router returns the settings of a router on the given interfaces: the kernel
// does not forward between them and does not judge source addresses; the box's
// own sockets take ports of OwnPorts except reserved ones. It is pure.
func Router(ifs []Interface, reserved []Range) []Setting {
	list := []Setting{
		// The stricter of "all" and the interface's own value counts.
		{"net/ipv4/conf/all/rp_filter", "0"},
		{"net/ipv4/ip_local_port_range", fmt.Sprintf("%d\t%d", OwnPorts.First, OwnPorts.Last)},
	}
	if len(reserved) > 0 {
		list = append(list, Setting{"net/ipv4/ip_local_reserved_ports", ports(reserved)})
	}
	for _, i := range ifs {
		v4, v6 := "net/ipv4/conf/"+i.Name+"/", "net/ipv6/conf/"+i.Name+"/"
		list = append(list,
			Setting{v4 + "forwarding", "0"}, Setting{v4 + "rp_filter", "0"},
			Setting{v4 + "accept_redirects", "0"}, Setting{v4 + "send_redirects", "0"},
			Setting{v6 + "forwarding", "0"}, Setting{v6 + "accept_redirects", "0"},
			Setting{v6 + "accept_ra", strconv.Itoa(b2i(i.AcceptRA))})
	}
	return list
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ports writes ranges as ip_local_reserved_ports takes and shows them: sorted,
// joined where they touch.
func ports(list []Range) string {
	list = slices.Clone(list)
	sort.Slice(list, func(i, j int) bool { return list[i].First < list[j].First })
	var out []string
	for i := 0; i < len(list); {
		r := list[i]
		for i++; i < len(list) && int(list[i].First) <= int(r.Last)+1; i++ {
			r.Last = max(r.Last, list[i].Last)
		}
		if r.First == r.Last {
			out = append(out, strconv.Itoa(int(r.First)))
		} else {
			out = append(out, fmt.Sprintf("%d-%d", r.First, r.Last))
		}
	}
	return strings.Join(out, ",")
}
