package router

import (
	"time"

	"waymark/net/pppoe"
	"waymark/svr/event"
	"waymark/svr/policy"
)

// refusedCode is pppd's exit code for a refused user name or password.
const refusedCode = 19

// alarmSession raises and clears the alarms of an interface that dials in.
func (r *Router) alarmSession(f *policy.Interface, s pppoe.Status) {
	if s.Session != nil || !f.Enabled {
		delete(r.waiting, f.ID)
	} else if _, ok := r.waiting[f.ID]; !ok {
		r.waiting[f.ID] = time.Now()
	}
	since, waits := r.waiting[f.ID]
	r.journal.set(event.PPPoEDown(f.Name), waits && time.Since(since) >= unresolvedAfter)
	r.journal.set(event.PPPoERefused(f.Name), s.Failure != nil && s.Failure.Code == refusedCode)
}

// lineOf is the Linux interface that a device-interface names.
func lineOf(f *policy.Interface) string {
	if f.PPPoE != nil {
		return f.Line.Port
	}
	return f.Target
}

// sessionColumns are the columns of a device-interface about its PPPoE session,
// null without one.
func (r *Router) sessionColumns(f *policy.Interface) []any {
	row := make([]any, 14)
	if f.PPPoE == nil {
		return row
	}
	s := r.kernel.PPPoE(f.ID)
	row[0], row[1], row[2] = s.State.String(), f.Target, orNull(s.Phase)
	if n := s.Session; n != nil {
		sessionFields(row[3:9], n)
	}
	if p := s.Failure; p != nil {
		row[9], row[10], row[11], row[12], row[13] = p.Attempt, timeOrNull(p.At), timeOrNull(p.Retry), p.Code, p.Reason
	}
	return row
}

func sessionFields(row []any, n *pppoe.Session) {
	dns := []string{}
	for _, a := range n.DNS {
		dns = append(dns, a.String())
	}
	row[0], row[1] = n.Session.ID, n.ACName
	row[2], row[3], row[4], row[5] = addrOrNull(n.Address), addrOrNull(n.Peer), n.MTU, dns
}
