package router

import (
	"fmt"

	"waymark/net/link"
	"waymark/net/rtnl"
	"waymark/svr/lane"
	"waymark/svr/policy"
)

func (r *Router) showInterfaces(a *answer) error {
	status, _ := r.snapshot()
	for i := range r.tables.Interfaces {
		f, s := &r.tables.Interfaces[i], &status[i]
		dhcp := "disabled"
		if f.DHCP && f.PPPoE == nil {
			dhcp = "v4"
		}
		giid := any(nil)
		if f.GlobalID != 0 {
			giid = f.GlobalID
		}
		values := []any{r.tables.RouterName, r.tables.NodeName, f.Device, f.Name, f.Enabled, f.VLAN, deviceType(f),
			orNull(f.Config.Type), dhcp, addresses(s.addrs), gateways(s.addrs), orNull(f.Config.Hostname),
			upDown(f.Enabled), upDown(s.up), giid}
		if a.detail {
			mtu := any(nil)
			if s.mtu > 0 {
				mtu = s.mtu
			}
			values = append(values, orNull(s.reason), mtu)
		}
		if err := a.row(values...); err != nil {
			return err
		}
	}
	return nil
}

// showDevices prints the device-interfaces with the lane's counters.
func (r *Router) showDevices(a *answer) error {
	counters := map[string]lane.PortCounters{}
	err := r.lane.Do(func() {
		for _, p := range r.lane.Ports() {
			counters[p.Name()] = p.Counters()
		}
	})
	if err != nil {
		return err
	}
	c, err := rtnl.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	v, err := look(c)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		if seen[f.Device] {
			continue
		}
		seen[f.Device] = true
		row := append(deviceRow(f, v, counters[f.Target]), r.sessionColumns(f)...)
		if err := a.row(row...); err != nil {
			return err
		}
	}
	return nil
}

func deviceRow(f *policy.Interface, v *view, n lane.PortCounters) []any {
	l, there := v.links[lineOf(f)]
	mac, mtu, reason := any(nil), any(nil), orNull(v.deviceReason(f))
	if there && l.MAC != [6]byte{} {
		m := l.MAC
		mac = fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
	}
	if there {
		mtu = l.MTU
	}
	return []any{f.Device, deviceType(f), f.Enabled, "host", nil, mac, upDown(f.Enabled), upDown(usable(l, there)),
		upDown(f.Enabled), "non-redundant", nil, nil, n.RxBytes, n.RxPackets, n.RxDropped + n.RxTruncated + n.RxMalformed,
		n.TxBytes, n.TxPackets, n.TxErrors, nil, lineOf(f), mtu, reason}
}

func usable(l link.Link, there bool) bool { return there && l.Usable() }

// deviceReason says why the device below f carries nothing.
func (v *view) deviceReason(f *policy.Interface) string {
	l, there := v.links[lineOf(f)]
	switch {
	case !f.Enabled:
		return reasonAdmin
	case !there:
		return reasonNoDevice
	case !l.Usable():
		return reasonNoCarrier
	}
	return ""
}
