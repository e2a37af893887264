package agent

import "time"

// Silence by profile. On metered ways it follows the NAT's memory as far as the
// month's bytes allow: a binding of UDP is what was learned about, and none of
// TCP is forgotten sooner (RFC 5382 REQ-5 asks for two hours, Linux for days).
const (
	wiredKeepalive   = 5 * time.Second
	meteredKeepalive = 300 * time.Second
	// meteredLeast keeps an idle month below 5 MB: a keepalive is 244 bytes.
	meteredLeast = 180 * time.Second

	saltIdle        = 30 * time.Second
	saltIdleMetered = 120 * time.Second // and never less there
)

// refreshed is how often a NAT's binding must be used: eight tenths of what it
// is known to survive, like paths do it (svr/path/natlife).
func refreshed(lifetime time.Duration) time.Duration { return lifetime / 10 * 8 }

// way tells about the live way out: whether it costs by the byte, and how long
// its NAT remembers, 0 if nobody knows.
func (a *uplinks) way() (metered bool, lifetime time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wans == nil || len(a.wans.WANs) == 0 {
		return false, 0
	}
	w := &a.wans.WANs[0]
	return w.Metered, time.Duration(w.NATLifetime) * time.Second
}

// metered tells whether the live way out costs by the byte.
func (a *uplinks) metered() bool {
	m, _ := a.way()
	return m
}

// keepalive is the longest silence towards conductors: as told, else by the live
// way out.
func (a *uplinks) keepalive() time.Duration {
	metered, lifetime := a.way()
	switch {
	case a.set.Keepalive != 0:
		return a.set.Keepalive
	case !metered:
		return wiredKeepalive
	case lifetime == 0:
		return meteredKeepalive
	}
	return min(max(refreshed(lifetime), meteredLeast), meteredKeepalive)
}

// saltIdle is after how much silence connections to Salt masters are probed.
func (a *uplinks) saltIdle() time.Duration {
	metered, lifetime := a.way()
	switch {
	case a.set.Keepalive != 0:
		return a.set.Keepalive
	case !metered:
		return saltIdle
	}
	return max(refreshed(lifetime), saltIdleMetered)
}
