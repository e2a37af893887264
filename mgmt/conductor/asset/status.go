package asset

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"waymark/mgmt/uplink"
)

// Status is how an asset stands, by the vendor's words and two of ours
// (rejected, configured).
type Status string

// The statuses.
const (
	StatusConfigured    Status = "configured"    // the configuration names it, it never came
	StatusPending       Status = "pending"       // it waits for an operator
	StatusRejected      Status = "rejected"      // an operator refused it
	StatusKeyAccepted   Status = "key-accepted"  // accepted, its connection never stood
	StatusConnected     Status = "connected"     // without a configuration of ours that it runs
	StatusSynchronizing Status = "synchronizing" // it takes a configuration
	StatusRunning       Status = "running"       // it runs the committed configuration
	StatusDisconnected  Status = "disconnected"
)

// Place is the node that the configuration has for an asset; zero: none.
type Place struct{ Router, Node string }

// Live is one connection of a box.
type Live struct {
	Conductor string    `json:"conductor"`
	Remote    string    `json:"remote"`
	Since     time.Time `json:"since"` // UTC
}

// Row is one line of `show assets`.
type Row struct {
	ID         string     `json:"asset-id"`
	Router     string     `json:"router"`
	Node       string     `json:"node"`
	Version    string     `json:"version"`
	Status     Status     `json:"status"`
	Errors     string     `json:"errors"`
	Keys       []KeyRow   `json:"keys"`
	Duplicates []KeyRow   `json:"duplicates"` // other keys under this id
	Conductors []Live     `json:"conductors"` // where it is connected
	First      *time.Time `json:"first-connection-date"`
	Twins      []Sighting `json:"twins"` // machines that have its key and take turns
}

// SetTwins adds machines that take turns.
func (r *Row) SetTwins(list []Sighting) {
	if len(list) == 0 {
		return
	}
	r.Twins = list
	if r.Errors != "" {
		r.Errors += "; "
	}
	r.Errors += twinsText(list)
}

// KeyRow is one claimant.
type KeyRow struct {
	Channel Channel   `json:"channel"`
	Finger  string    `json:"key"`
	From    string    `json:"from"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// NewRow tells how an asset stands. An asset that only the configuration knows
// has an id and nothing else.
func NewRow(a Asset, p Place, live []Live) Row {
	r := Row{ID: a.ID, Router: p.Router, Node: p.Node, Version: a.Facts.Software, Status: status(a, p, live),
		Keys: keyRows(a.Keys), Duplicates: keyRows(a.Rivals), Conductors: live, Twins: []Sighting{}}
	if r.Conductors == nil {
		r.Conductors = []Live{}
	}
	if !a.First.IsZero() {
		r.First = &a.First
	}
	var errs []string
	if len(a.Rivals) > 0 {
		errs = append(errs, fmt.Sprintf("%d other key claims this id", len(a.Rivals)))
	}
	if c := a.Config; c != nil && c.Error != "" {
		errs = append(errs, string(c.Status)+": "+c.Error)
	} else if c != nil && wrong(c.Status) {
		errs = append(errs, "configuration is "+string(c.Status))
	}
	r.Errors = strings.Join(errs, "; ")
	return r
}

func wrong(s uplink.ConfigStatus) bool {
	return s == uplink.ConfigInvalid || s == uplink.ConfigOutOfSync || s == uplink.ConfigRolledBack
}

func keyRows(m map[Channel]Claimant) []KeyRow {
	rows := []KeyRow{}
	for ch, c := range m {
		rows = append(rows, KeyRow{ch, c.Finger, c.From, c.First, c.Last})
	}
	slices.SortFunc(rows, func(a, b KeyRow) int { return -strings.Compare(string(a.Channel), string(b.Channel)) })
	return rows
}

func status(a Asset, p Place, live []Live) Status {
	switch {
	case a.Verdict == "":
		return StatusConfigured
	case a.Verdict == Pending:
		return StatusPending
	case a.Verdict == Rejected:
		return StatusRejected
	case len(live) == 0 && a.Facts.Software == "":
		return StatusKeyAccepted
	case len(live) == 0:
		return StatusDisconnected
	case a.Config == nil || p == Place{}:
		return StatusConnected
	}
	switch a.Config.Status {
	case uplink.ConfigInSync:
		return StatusRunning
	case uplink.ConfigApplying:
		return StatusSynchronizing
	}
	return StatusConnected
}

// Alarm is what is wrong with an asset.
type Alarm struct {
	Asset, Severity, Category, Message string
	Place                              Place
}

// Alarms lists what is wrong with assets, as the vendor says it.
func Alarms(rows []Row) []Alarm {
	var all []Alarm
	for _, r := range rows {
		at := Place{r.Router, r.Node}
		if len(r.Duplicates) > 0 {
			all = append(all, Alarm{r.ID, "critical", "asset", fmt.Sprintf("A duplicate asset with id %s has been detected. Ensure all assets have a unique id.", r.ID), at})
		}
		if len(r.Twins) > 0 {
			all = append(all, Alarm{r.ID, "critical", "asset", fmt.Sprintf("Asset %s has a twin: %s", r.ID, twinsText(r.Twins)), at})
		}
		switch {
		case r.Router == "" || r.Status == StatusRunning || r.Status == StatusSynchronizing:
		case r.Status == StatusDisconnected:
			all = append(all, Alarm{r.ID, "major", "system", fmt.Sprintf("No connectivity to %s.%s", r.Router, r.Node), at})
		default:
			all = append(all, Alarm{r.ID, "major", "asset", fmt.Sprintf("Asset %s, which is configured as %s.%s, is not running", r.ID, r.Node, r.Router), at})
		}
	}
	return all
}
