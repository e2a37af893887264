package config

import "fmt"

// portPlan is who owns which ports of an address of ours (protocol 7).
var portPlan = []struct {
	PortRange
	owner string
}{
	{PortRange{1, 1024}, "the host's listening sockets"},
	{PortRange{1280, 1280}, "BFD"},
	{PortRange{1283, 1283}, "the firewall detector"},
	{PortRange{2048, 9999}, "source-NAT breakout"},
	{PortRange{10000, 16383}, "the box's own outgoing sockets"},
}

// ownPortsAllowed is what the plan leaves to configured ranges.
const ownPortsAllowed = "1025-2047 without 1280 and 1283, 16384-65535"

// ownPorts checks the port-ranges of an interface's neighborhoods: they all
// lie on the same addresses. Lying inside the default wayport range is no
// overlap.
func (k *checker) ownPorts(nif *entry) {
	var all []placed
	for _, n := range nif.all("neighborhood") {
		for _, p := range n.all("port-range") {
			r := decodePortRange(p)
			if r.Start == 0 || r.End < r.Start {
				continue // a finding says why already
			}
			k.plan(p, r)
			all = append(all, placed{r, p})
		}
	}
	k.overlaps(all, "another range of the same address")
}

// plan checks one range against the port plan.
func (k *checker) plan(at *entry, r PortRange) {
	for _, row := range portPlan {
		if r.Overlaps(row.PortRange) {
			k.add(Error, at.path(), r.String(), fmt.Sprintf("overlaps %s, ports of %s", row.PortRange, row.owner), ownPortsAllowed)
		}
	}
}
