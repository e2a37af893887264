package boot

import (
	"strings"
	"time"
)

// Args are the kernel arguments that are ours.
type Args struct {
	Report   string        // waymark.report: port of test reports, below /dev
	Drill    bool          // waymark.drill: the report port takes orders, see package pid1
	Board    string        // waymark.board: this board, whatever the image was built for
	Watchdog time.Duration // waymark.watchdog: another timeout than the board's
	Slot     string        // waymark.slot: name of the slot that was booted
	Words    map[string]string
}

// ParseArgs reads a kernel command line. Words that are not ours are left alone,
// values that mean nothing are as if they were not there.
func ParseArgs(line string) Args {
	a := Args{Words: map[string]string{}}
	for _, w := range strings.Fields(line) {
		if key, value, _ := strings.Cut(w, "="); strings.HasPrefix(key, "waymark.") {
			a.Words[strings.TrimPrefix(key, "waymark.")] = value
		}
	}
	a.Report, a.Board, a.Slot = device(a.Words["report"]), a.Words["board"], a.Words["slot"]
	_, a.Drill = a.Words["drill"]
	if d, err := time.ParseDuration(a.Words["watchdog"]); err == nil && d >= time.Second {
		a.Watchdog = d
	}
	return a
}

// device is the name of a device right below /dev, or nothing.
func device(name string) string {
	if strings.ContainsAny(name, "/.") {
		return ""
	}
	return name
}
