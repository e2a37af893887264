package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/client"
	"waymark/mgmt/uplink/meter"
	"waymark/svr/path/ambient"
)

// Files of the agent in the run directory.
const (
	statusFile  = "agent.json"         // Status
	ambientFile = "agent.ambient.json" // what it costs, rows of the ledger of `show ambient`
)

// Status is what the agent tells the other processes.
type Status struct {
	AssetID    string             `json:"asset-id"`
	Key        string             `json:"key"` // fingerprint of the box's key
	Conductors []ConductorStatus  `json:"conductors"`
	Config     uplink.ConfigState `json:"configuration"`
	Addresses  []uplink.Address   `json:"addresses"` // that networks gave, as they are reported
	Events     uint64             `json:"events"`    // newest that is queued
}

// ConductorStatus is the connection to one conductor.
type ConductorStatus struct {
	client.Status
	From string `json:"from"` // who said where it is
	// AddressesAcknowledged: it has all dynamic addresses.
	AddressesAcknowledged bool           `json:"addresses-acknowledged"`
	Traffic               client.Traffic `json:"traffic"`
}

// ReadStatus returns what the agent of a run directory wrote last; without one it
// fails.
func ReadStatus(run string) (s Status, err error) {
	b, err := os.ReadFile(filepath.Join(run, statusFile))
	if err != nil {
		return s, fmt.Errorf("read status of the agent: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("read status of the agent: %w", err)
	}
	return s, nil
}

// Reached tells whether a conductor is connected, as the status in a run
// directory says; without an agent none is.
func Reached(run string) bool {
	s, err := ReadStatus(run)
	return err == nil && slices.ContainsFunc(s.Conductors, func(c ConductorStatus) bool { return c.Connected })
}

// publish writes both files while they change.
func (a *uplinks) publish(ctx context.Context) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	began := time.Now()
	var before [2]string
	for {
		for i, f := range []struct {
			name string
			text func() ([]byte, error)
		}{{statusFile, a.statusText}, {ambientFile, func() ([]byte, error) { return ambient.Marshal(a.costs(began)) }}} {
			b, err := f.text()
			if err != nil || string(b) == before[i] {
				continue
			}
			before[i] = string(b)
			if err := replaceRun(filepath.Join(a.set.RunDir, f.name), b); err != nil {
				a.log.Warn("agent: status is not told", "err", err)
			}
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			_ = os.Remove(filepath.Join(a.set.RunDir, statusFile)) // it would tell of nobody
			return
		}
	}
}

// replaceRun replaces a file that nothing outlives, so it is not synced.
func replaceRun(name string, b []byte) error {
	if err := os.WriteFile(name+".new", b, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

func (a *uplinks) statusText() ([]byte, error) {
	b, err := json.Marshal(a.status())
	return append(b, '\n'), err
}

func (a *uplinks) status() *Status {
	s := &Status{AssetID: a.id, Key: fingerprint(a.key), Conductors: []ConductorStatus{}, Config: a.board.Config(),
		Addresses: a.board.Addresses(), Events: a.queue.Last()}
	for _, l := range a.all() {
		s.Conductors = append(s.Conductors, ConductorStatus{Status: l.client.Status(), From: l.place.From,
			AddressesAcknowledged: !l.out.AddressesPending(), Traffic: l.client.Traffic()})
	}
	return s
}

// costs are the rows of all connections, on the way out that is live.
func (a *uplinks) costs(began time.Time) []ambient.Row {
	way := ""
	a.mu.Lock()
	if a.wans != nil && len(a.wans.WANs) > 0 {
		way = a.wans.WANs[0].Interface
	}
	a.mu.Unlock()
	took := int64(time.Since(began) / time.Second)
	list, salt, plan := []ambient.Row{}, a.wires.costs(), a.plan()
	add := func(host, channel string, c meter.Cost, plan ambient.Cost) {
		list = append(list, ambient.Row{Key: ambient.Key{Interface: way, Subject: host, Channel: channel},
			Events: c.Packets, Bytes: c.Bytes, Seconds: took, Predicted: int64(plan.Monthly())})
	}
	for _, l := range a.all() {
		t, s := l.client.Traffic(), salt[l.place.Host]
		add(l.place.Host, ambient.SSH, meter.Cost{Packets: t.Packets - t.SaltPackets, Bytes: t.Bytes - t.SaltBytes}, plan[ambient.SSH])
		if a.set.minionAt == nil {
			continue
		}
		add(l.place.Host, ambient.Salt, meter.Cost{Packets: s.Packets + t.SaltPackets, Bytes: s.Bytes + t.SaltBytes}, plan[ambient.Salt])
		delete(salt, l.place.Host)
	}
	for host, c := range salt { // stock masters
		add(host, ambient.Salt, c, ambient.Cost{})
	}
	ambient.Sort(list)
	return list
}

// plan is what an idle connection should cost, with a new one a day.
func (a *uplinks) plan() map[string]ambient.Cost {
	return ambient.Management{Keepalive: a.keepalive().Seconds(), Connects: 1, NoSalt: a.set.minionAt == nil}.Costs()
}
