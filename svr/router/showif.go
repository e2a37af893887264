package router

import (
	"fmt"

	"waymark/net/link"
	"waymark/net/rtnl"
	"waymark/svr/host"
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
		values := []any{r.tables.RouterName, r.tables.NodeName, f.Device, f.Name, f.Enabled, f.Tag(), f.Type,
			orNull(f.Config.Type), dhcp, addresses(s.Addrs), gateways(s.Addrs), orNull(f.Config.Hostname),
			upDown(f.Enabled), upDown(s.Up), giid, f.DHCP}
		if a.detail {
			mtu := any(nil)
			if s.MTU > 0 {
				mtu = s.MTU
			}
			used, quota := r.useOf(f)
			values = append(values, orNull(s.Reason), mtu, used, quota)
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
	v, err := host.Look(c)
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

func deviceRow(f *policy.Interface, v *host.View, n lane.PortCounters) []any {
	l, there := v.Links[lineOf(f)]
	mac, mtu, reason := any(nil), any(nil), orNull(deviceReason(v, f))
	if there && l.MAC != [6]byte{} {
		m := l.MAC
		mac = fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
	}
	if there {
		mtu = l.MTU
	}
	return []any{f.Device, f.Type, f.Enabled, "host", nil, mac, upDown(f.Enabled), upDown(usable(l, there)),
		upDown(f.Enabled), "non-redundant", nil, nil, n.RxBytes, n.RxPackets, n.RxDropped + n.RxTruncated + n.RxMalformed,
		n.TxBytes, n.TxPackets, n.TxErrors, nil, lineOf(f), mtu, reason}
}

func usable(l link.Link, there bool) bool { return there && l.Usable() }

// deviceReason says why the device below f carries nothing.
func deviceReason(v *host.View, f *policy.Interface) string {
	l, there := v.Links[lineOf(f)]
	switch {
	case !f.Enabled:
		return host.ReasonAdmin
	case !there:
		return host.ReasonNoDevice
	case !l.Usable():
		return host.ReasonNoCarrier
	}
	return ""
}
