package router

import (
	"encoding/json"
	"path/filepath"
	"time"

	"waymark/net/keep"
	"waymark/net/link"
	"waymark/net/rtnl"
	"waymark/svr/event"
	"waymark/svr/host"
	"waymark/svr/path/quota"
	"waymark/svr/policy"
)

// usage counts the bytes of the month on metered interfaces, and on those with a
// quota, in UsageFile. It is the reconciler's; show reads under the router's mu.
type usage struct {
	file    keep.File
	uses    map[string]*quota.Use // by network-interface
	written map[string]quota.Use
	wrote   time.Time
	boot    string
}

// maxUses bounds the interfaces that are remembered.
const maxUses = 256

func openUsage(set *Settings) (*usage, error) {
	u := &usage{file: keep.File{Path: filepath.Join(set.stateDir(), UsageFile)}, uses: map[string]*quota.Use{},
		written: map[string]quota.Use{}, boot: keep.Now().Boot}
	err := u.file.Load(&u.uses)
	for name, use := range u.uses {
		if use == nil || len(u.uses) > maxUses {
			delete(u.uses, name)
			continue
		}
		u.written[name] = *use
	}
	return u, err
}

// counted says whether bytes of an interface are counted. Its device counts them,
// so a VLAN has to have one for itself.
func counted(t *policy.Tables, f *policy.Interface) bool {
	if !f.Enabled || !f.Metered && f.Config.DataQuota == 0 {
		return false
	}
	for i := range t.Interfaces {
		if o := &t.Interfaces[i]; f.VLAN != 0 && o.ID != f.ID && o.Enabled && o.Target == f.Target {
			return false
		}
	}
	return true
}

// countUse takes a reading of every interface that counts, raises and clears
// alarms, and writes what is worth it.
func (r *Router) countUse(last bool) {
	now, u := time.Now(), r.usage
	write := false
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		if !counted(r.tables, f) || r.seen == nil {
			continue
		}
		use := r.readUse(f, now)
		old := u.written[f.Name]
		write = write || use.Worth(&old, now.Sub(u.wrote)) || last && use.Total() != old.Total()
		r.alarmQuota(f.Name, uint64(f.Config.DataQuota)*1e6, &use)
	}
	if !write {
		return
	}
	b, err := json.MarshalIndent(u.uses, "", "  ")
	if err == nil {
		err = u.file.Save(append(b, '\n'))
	}
	if err != nil {
		r.log.Warn("cannot write the bytes of the month", "error", err)
	}
	u.wrote = now // a disk that is full is not tried every second
	for name, use := range u.uses {
		u.written[name] = *use
	}
}

// alarmQuota tells how much of an interface's quota in bytes is used.
func (r *Router) alarmQuota(name string, bytes uint64, use *quota.Use) {
	r.journal.set(event.QuotaUsed(name), use.Reached(quota.Warning, bytes))
	r.journal.set(event.QuotaUrgent(name), use.Reached(quota.Urgent, bytes))
}

// readUse reads the counters of an interface's device.
func (r *Router) readUse(f *policy.Interface, now time.Time) quota.Use {
	r.mu.Lock()
	defer r.mu.Unlock()
	use := r.usage.uses[f.Name]
	if use == nil {
		use = &quota.Use{}
		r.usage.uses[f.Name] = use
	}
	if l, ok := r.seen.Links[f.Target]; ok {
		if reading, err := readDevice(r.kernel.Conn(), l.Index); err == nil {
			reading.Boot = r.usage.boot
			use.Take(reading, max(f.Config.QuotaDay, 1), now)
		}
	}
	return *use
}

// readDevice returns the counters of a device as bytes of IP: what it counts as
// Ethernet has 14 bytes more per frame.
func readDevice(c *rtnl.Conn, index int) (quota.Reading, error) {
	n, kind, err := link.Count(c, index)
	if err != nil {
		return quota.Reading{}, err
	}
	r := quota.Reading{Device: index, Rx: n.RxBytes, Tx: n.TxBytes}
	if kind == host.Ethernet {
		r.Rx -= min(14*n.RxPackets, r.Rx)
		r.Tx -= min(14*n.TxPackets, r.Tx)
	}
	return r, nil
}

// useOf returns what show prints of an interface: MB of the month and the quota,
// nil where nobody counts.
func (r *Router) useOf(f *policy.Interface) (used, most any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if use := r.usage.uses[f.Name]; use != nil && counted(r.tables, f) {
		used = hundredths(float64(use.Total()) / 1e6)
	}
	if f.Config.DataQuota > 0 {
		most = f.Config.DataQuota
	}
	return used, most
}
