package guard

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sort"
)

// Range is a range of ports, both ends included.
type Range struct{ First, Last uint16 }

// Address is one of the router's own addresses and its ports that belong to
// the lane, TCP and UDP alike: wayports and source-NAT ports.
type Address struct {
	Addr  netip.Addr
	Ports []Range
}

// Config says what to guard.
type Config struct {
	Owner   string // makes the table's name: letters, digits, dash, underscore
	Devices []string
	Addrs   []Address // of all devices
	// Clients are the devices on which a DHCP client runs: to no other device's
	// UDP port 68 the kernel gets anything.
	Clients []string
}

// ErrConfig: the configuration cannot be made into rules.
var ErrConfig = errors.New("guard configuration wrong")

// table returns the name of the owner's table.
func table(owner string) (string, error) {
	if owner == "" || len(owner) > 100 {
		return "", fmt.Errorf("owner %q: %w", owner, ErrConfig)
	}
	for _, c := range owner {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return "", fmt.Errorf("owner %q: %w", owner, ErrConfig)
		}
	}
	return "waymark-" + owner, nil
}

// normal checks c and brings it to one form: sorted, joined, each once.
func (c Config) normal() (Config, error) {
	if _, err := table(c.Owner); err != nil {
		return c, err
	}
	merged := map[netip.Addr][]Range{}
	for _, a := range c.Addrs {
		if !a.Addr.IsValid() || a.Addr.IsMulticast() {
			return c, fmt.Errorf("address %s: %w", a.Addr, ErrConfig)
		}
		k := a.Addr.Unmap().WithZone("")
		merged[k] = append(merged[k], a.Ports...)
	}
	out := Config{Owner: c.Owner, Devices: slices.Compact(slices.Sorted(slices.Values(c.Devices))), Clients: c.Clients}
	for a, r := range merged {
		ranges, err := join(r)
		if err != nil {
			return c, fmt.Errorf("address %s: %w", a, err)
		}
		out.Addrs = append(out.Addrs, Address{a, ranges})
	}
	sort.Slice(out.Addrs, func(i, j int) bool { return out.Addrs[i].Addr.Compare(out.Addrs[j].Addr) < 0 })
	return out, nil
}

// join sorts ranges and joins those that overlap or touch.
func join(list []Range) ([]Range, error) {
	list = slices.Clone(list)
	sort.Slice(list, func(i, j int) bool { return list[i].First < list[j].First })
	var out []Range
	for _, r := range list {
		if r.Last < r.First {
			return nil, fmt.Errorf("ports %d-%d: %w", r.First, r.Last, ErrConfig)
		}
		if n := len(out); n > 0 && int(r.First) <= int(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out, nil
}
