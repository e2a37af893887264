// Package quota counts the bytes that an interface carried this month, over
// restarts and reboots, from counters of the kernel that begin anew with each
// boot. It is pure: readings and a wall clock in, totals out.
package quota

import "time"

// Levels of a quota, in percent.
const (
	Warning = 80
	Urgent  = 95
)

// Reading is the counters of a device at one moment, in bytes of IP.
type Reading struct {
	Boot   string `json:"boot"`   // of the machine: counters of another boot are others
	Device int    `json:"device"` // kernel's index: a new one counts from 0
	Rx     uint64 `json:"rx"`
	Tx     uint64 `json:"tx"`
}

// Use is what an interface carried in a month.
type Use struct {
	Month string  `json:"month"` // as 2026-01, of its first day
	Rx    uint64  `json:"rx"`
	Tx    uint64  `json:"tx"`
	Last  Reading `json:"last"`
}

// Total returns the bytes of both directions.
func (u *Use) Total() uint64 { return u.Rx + u.Tx }

// Take takes a reading into the month that is now and begins another month when
// its first day has come, day being the day of the month at which that is, UTC.
// A clock that goes backwards, as after a reboot without a battery, ends no month.
func (u *Use) Take(r Reading, day int, now time.Time) {
	if m := month(day, now); m > u.Month {
		u.Month, u.Rx, u.Tx = m, 0, 0
	}
	same := r.Boot == u.Last.Boot && r.Device == u.Last.Device
	switch {
	case u.Last.Boot == "": // the first reading: who knows of when it tells
	case same && r.Rx >= u.Last.Rx && r.Tx >= u.Last.Tx:
		u.Rx += r.Rx - u.Last.Rx
		u.Tx += r.Tx - u.Last.Tx
	default: // counters began anew since
		u.Rx += r.Rx
		u.Tx += r.Tx
	}
	u.Last = r
}

// month names the month of billing that now is in.
func month(day int, now time.Time) string {
	now = now.UTC()
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	if now.Day() < day {
		first = first.AddDate(0, -1, 0)
	}
	return first.Format("2006-01")
}

// Reached says whether a percentage of a quota is used; a quota of 0 is none.
func (u *Use) Reached(percent int, quota uint64) bool {
	return quota > 0 && float64(u.Total())*100 >= float64(quota)*float64(percent)
}

// Bounds of what is written to the disk.
const (
	soonest = 10 * time.Second
	latest  = 10 * time.Minute
	least   = 1 << 20 // bytes that are worth a write before latest
)

// Worth says whether a use is worth a write now, so long after the last one. A
// power cut costs no more of the count than what was not worth it.
func (u *Use) Worth(written *Use, since time.Duration) bool {
	switch {
	case u.Month != written.Month:
		return true
	case u.Total() == written.Total() || since < soonest:
		return false
	}
	return since >= latest || u.Total()-written.Total() >= least
}
