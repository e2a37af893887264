package pool

// Gauge turns the use of a pool into an alarm with hysteresis: raised at 90 %
// of the capacity, cleared at 80 % (design 4). The zero value is a cleared
// alarm of a pool without capacity.
type Gauge struct {
	Used, Cap int
	raised    bool
}

// Edge is what an update of a Gauge did to its alarm.
type Edge int8

// Edges of an alarm.
const (
	EdgeNone  Edge = iota // nothing changed
	EdgeRaise             // use reached 90 %
	EdgeClear             // use fell to 80 % or below
)

// Set takes the current use and capacity and tells what became of the alarm.
// A pool without capacity clears it.
func (g *Gauge) Set(used, capacity int) Edge {
	g.Used, g.Cap = used, capacity
	switch u, c := int64(used)*10, int64(capacity); {
	case !g.raised && c > 0 && u >= 9*c:
		g.raised = true
		return EdgeRaise
	case g.raised && u <= 8*c, g.raised && c <= 0:
		g.raised = false
		return EdgeClear
	}
	return EdgeNone
}

// Raised tells whether the alarm stands.
func (g *Gauge) Raised() bool { return g.raised }
