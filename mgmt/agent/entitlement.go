package agent

import (
	"context"
	"encoding/json"
	"path/filepath"
	"time"

	"waymark/mgmt/box"
	"waymark/mgmt/uplink"
	"waymark/svr/router/ctl"
)

// Sampling of what the router forwards.
const (
	sampleEvery  = 5 * time.Second
	samplePeriod = 300 * time.Second
)

// quietBits is what an idle box makes by itself in a second. Less is no use of it.
const quietBits = 10_000

// entitlement is what the router forwarded: the peak of each month, and of the
// period that conductors are told about. One goroutine.
type entitlement struct {
	a          *uplinks
	state, run string // files
	months     []box.Month
	unsaved    bool
	start      time.Time // of the period
	last, peak uint64    // bytes at the last sample; bit/s of the period
	at         time.Time // of the last sample
}

func newEntitlement(a *uplinks, now time.Time) *entitlement {
	e := &entitlement{a: a, start: now.Truncate(samplePeriod),
		state: filepath.Join(a.set.StateDir, "state", "entitlement.json"), run: filepath.Join(a.set.RunDir, box.EntitlementFile)}
	var err error
	if e.months, err = box.ReadEntitlement(e.state); err != nil {
		a.log.Warn("agent: begins without the use of past months", "err", err)
	}
	e.tell()
	return e
}

func (e *entitlement) tell() {
	if err := box.WriteEntitlement(e.run, e.months); err != nil {
		e.a.log.Warn("agent: use is not told", "err", err)
	}
}

// sampled takes what the router forwarded in all, in bytes.
func (e *entitlement) sampled(now time.Time, total uint64, router string) {
	if took := now.Sub(e.at).Seconds(); !e.at.IsZero() && total >= e.last && took > 0 {
		bits := uint64(float64(total-e.last) * 8 / took)
		e.peak = max(e.peak, bits)
		if bits >= quietBits && router != "" {
			var more bool
			if e.months, more = box.Note(e.months, router, now, bits); more {
				e.unsaved = true
				e.tell()
			}
		}
	}
	e.last, e.at = total, now
}

// period ends the period if it is over.
func (e *entitlement) period(now time.Time, router string) {
	next := now.Truncate(samplePeriod)
	if !next.After(e.start) {
		return
	}
	if e.peak >= quietBits {
		e.a.board.AddSample(router, uplink.Sample{Start: e.start.UTC(), Seconds: int(samplePeriod / time.Second), Peak: e.peak}, e.a.metered())
	}
	e.start, e.peak = next, 0
	e.save()
}

// save keeps the months over a reboot.
func (e *entitlement) save() {
	if !e.unsaved {
		return
	}
	if err := box.WriteEntitlement(e.state, e.months); err != nil {
		e.a.log.Warn("agent: use is not kept", "err", err)
		return
	}
	e.unsaved = false
}

// sample watches what the router forwards until ctx ends.
func (a *uplinks) sample(ctx context.Context) {
	every := time.NewTicker(sampleEvery)
	defer every.Stop()
	e := newEntitlement(a, time.Now())
	defer e.save()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		total, ok := a.forwarded(ctx)
		a.mu.Lock()
		router := a.router
		a.mu.Unlock()
		now := time.Now()
		if ok {
			e.sampled(now, total, router)
		}
		e.period(now, router)
	}
}

// forwarded is how many bytes came in by all interfaces of the router.
func (a *uplinks) forwarded(ctx context.Context) (total uint64, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	_, err := ctl.AskContext(ctx, a.set.RunDir, ctl.Request{Show: "device-interface"}, func(raw json.RawMessage) error {
		var r struct {
			In *uint64 `json:"in-octets"`
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			return err
		}
		if r.In != nil {
			total += *r.In
		}
		return nil
	})
	return total, err == nil
}
