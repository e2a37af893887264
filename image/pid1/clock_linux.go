package pid1

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockFile holds the newest time that this box knew, in seconds since 1970.
const clockFile = "clock"

// saveEvery is the time between two saves of the clock; a box without a battery
// starts with a clock that is at most so late, plus the time it was off.
const saveEvery = time.Hour

// startClock is the time a box begins with: none of what it knows may be ahead
// of it.
func startClock(hardware, built, saved time.Time) time.Time {
	latest := hardware
	for _, t := range []time.Time{built, saved} {
		if t.After(latest) {
			latest = t
		}
	}
	return latest
}

// setClock sets the clock forward to what is certain. It never goes back here.
func (i *Init) setClock() {
	was := time.Now()
	start := startClock(was, i.info.Built, i.data.clock())
	if !start.After(was) {
		return
	}
	tv := unix.NsecToTimeval(start.UnixNano())
	if err := unix.Settimeofday(&tv); err != nil {
		i.log.Error("cannot set clock", "error", err)
		return
	}
	i.log.Info("clock set forward", "from", was.UTC(), "to", start.UTC())
}

// clock is the time that was saved last.
func (d *data) clock() time.Time {
	if d == nil {
		return time.Time{}
	}
	b, err := os.ReadFile(filepath.Join(d.dir("state"), clockFile))
	if err != nil {
		return time.Time{}
	}
	s, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || s < 0 {
		return time.Time{}
	}
	return time.Unix(s, 0)
}

// saveClock saves the clock unless it went back.
func (d *data) saveClock(t time.Time) error {
	if d == nil || !t.After(d.clock()) {
		return nil
	}
	return d.put(filepath.Join("state", clockFile), strconv.AppendInt(nil, t.Unix(), 10))
}
