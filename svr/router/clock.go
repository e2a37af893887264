package router

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"waymark/net/resolve"
	"waymark/net/sntp"
	"waymark/svr/event"
)

// Built is when this program was built, RFC 3339, set by the linker. Nobody's
// time before it is believed.
var Built string

// oldest is the floor of builds that do not say.
var oldest = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func clockFloor() time.Time {
	if t, err := time.Parse(time.RFC3339, Built); err == nil {
		return t
	}
	return oldest
}

const (
	// noTimeAfter is how long servers may be without an answer that counts
	// before that is an alarm, noTimeAtFirst the same behind the start.
	noTimeAfter   = time.Hour
	noTimeAtFirst = 2 * time.Minute
	// maxTimeServers bounds whom the box asks for the time.
	maxTimeServers = 4
)

// newClock makes the client for the box's time. Only a router that was told to
// sets the machine's clock.
func newClock(set *Settings, c *resolve.Client, log *slog.Logger, told func(sntp.Action)) *sntp.Client {
	opt := sntp.Options{Clock: sntp.Watch{}, Floor: clockFloor(), Lookup: c.Lookup, Log: log}
	if set.SetClock {
		opt.Clock, opt.Set = sntp.System{}, told
	}
	return sntp.NewClient(opt)
}

// clockSet tells operators when the clock was stepped.
func (r *Router) clockSet(a sntp.Action) {
	r.log.Debug("clock set", "offset", a.Offset, "step", a.Step)
	if a.Step {
		r.journal.tell(event.ClockStepped(a.Offset.Round(time.Millisecond).String()))
	}
}

// timeServers are those of the configuration or, where the router sets the
// clock, those that the WANs' networks told.
func (r *Router) timeServers(f *resolve.File) (list []string) {
	if list = r.soft.TimeServers; len(list) > 0 || !r.set.SetClock {
		return list
	}
	var addrs []netip.Addr
	for _, w := range f.WANs {
		addrs = append(addrs, w.TimeServers...)
	}
	for _, a := range addrs {
		if !slices.Contains(list, a.String()) && len(list) < maxTimeServers {
			list = append(list, a.String())
		}
	}
	return list
}

// alarmClock raises and clears the alarm of servers that tell no time.
func (r *Router) alarmClock(servers int, synced, now time.Duration) {
	wrong := servers > 0 && (synced < 0 && now > noTimeAtFirst || synced > noTimeAfter)
	r.journal.set(event.NoTimeServer(), wrong)
}

// runClock asks until ctx ends.
func (r *Router) runClock(ctx context.Context) {
	_ = r.clockClient.Run(ctx) // it has no error of its own
}

func (r *Router) showNTP(a *answer) error {
	list, synced, now := r.clockClient.Look()
	status := "unsynchronized"
	if synced >= 0 {
		status = "synchronized"
	}
	for _, s := range list {
		when, delay, offset, ref, stratum, tally := any(nil), any(nil), any(nil), any(nil), any(nil), ""
		if s.When >= 0 {
			when, delay, offset = int64((now-s.When)/time.Second), millis(s.Sample.Delay), millis(s.Sample.Offset)
			ref, stratum = orNull(s.Sample.RefID), s.Sample.Stratum
		}
		switch {
		case s.Chosen:
			tally = "*"
		case s.Reach&1 != 0:
			tally = "x"
		}
		reason := any(nil)
		if s.Err != nil {
			reason = s.Err.Error()
		}
		if err := a.row(status, s.Name, ref, stratum, "unicast", when, int64(s.Poll/time.Second), s.Reach, delay, offset, nil, tally, reason); err != nil {
			return err
		}
	}
	return nil
}

// millis is a time in milliseconds.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
