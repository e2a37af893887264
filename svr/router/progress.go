package router

import (
	"errors"
	"time"

	"waymark/svr/policy"
)

// turnLimit is how long the reconciler may take to answer; whoever asks waits
// twice as long.
const turnLimit = 5 * time.Second

// errNoTurn: the reconciler hangs.
var errNoTurn = errors.New("reconciler makes no progress")

// turn waits until the reconciler has come round.
func (r *Router) turn() error {
	came := make(chan struct{})
	limit := time.NewTimer(turnLimit)
	defer limit.Stop()
	select {
	case r.asked <- came:
	case <-r.ended:
		return errNoTurn
	case <-limit.C:
		return errNoTurn
	}
	select {
	case <-came:
		return nil
	case <-limit.C:
		return errNoTurn
	}
}

// showProgress proves that this router makes progress, to whoever feeds the
// watchdog: the reconciler and the lane both came round to answer.
func (r *Router) showProgress(a *answer) error {
	if err := r.turn(); err != nil {
		return err
	}
	var rounds uint64
	if err := r.lane.Do(func() { rounds = r.lane.Counters().Rounds }); err != nil {
		return err
	}
	fast := any(nil)
	if r.fast != nil {
		c, err := r.fast.Counters()
		if err != nil {
			return err
		}
		fast = c.TC + c.XDP
	}
	status, _ := r.snapshot()
	enabled, up, wan, down := 0, 0, []string{}, []string{}
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		if !f.Enabled {
			continue
		}
		enabled++
		switch {
		case !status[i].up:
			down = append(down, f.Name)
		case r.isWAN(f):
			wan = append(wan, f.Name)
			fallthrough
		default:
			up++
		}
	}
	// A packet has to come in somewhere and to go out somewhere else.
	return a.row(r.nodeName(), up >= min(2, enabled) && up > 0, up, wan, down, rounds, fast)
}

// isWAN says whether an interface leads to a network of others: to peers, or out
// of source NAT.
func (r *Router) isWAN(f *policy.Interface) bool { return f.SourceNAT || len(f.Vectors) > 0 }
