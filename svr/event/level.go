package event

import (
	"cmp"
	"math/bits"
	"time"
)

// The limits of pools in percent of their capacity.
const (
	RaisePercent = 90 // at this much and above the alarm is raised
	ClearPercent = 80 // at this much and below it is cleared
)

// Level raises the alarm of a pool when used reaches RaisePercent of capacity
// and clears it when used is down to ClearPercent; in between nothing changes.
// A pool of capacity 0 never alarms. It returns the event that was told, if any.
func (l *Log) Level(at time.Time, a Alarm, used, capacity uint64) (Record, bool) {
	switch {
	case capacity == 0 || share(used, capacity, ClearPercent) <= 0:
		return l.Clear(at, a.Key)
	case share(used, capacity, RaisePercent) >= 0:
		return l.Raise(at, a)
	}
	return Record{}, false
}

// share compares used with percent of capacity, exact for all numbers.
func share(used, capacity, percent uint64) int {
	uh, ul := bits.Mul64(used, 100)
	ch, cl := bits.Mul64(capacity, percent)
	return cmp.Or(cmp.Compare(uh, ch), cmp.Compare(ul, cl))
}
