package router

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"waymark/svr/event"
)

const (
	loadEvery = 5 * time.Second  // between two looks at the box
	cpuLong   = 30 * time.Second // that processors may be busy before it is an alarm
	boxFile   = "init.json"      // of mgmt/box: there where the machine is a box of ours
)

// hostLoad watches the box itself. Elsewhere the machine is somebody else's, and
// so is the care for it.
type hostLoad struct {
	looked     time.Time
	busy, idle uint64 // of all processors, in ticks since the boot
}

// alarmHost looks at memory, processors and disk now and then.
func (r *Router) alarmHost() {
	if time.Since(r.load.looked) < loadEvery {
		return
	}
	r.load.looked = time.Now()
	if _, err := os.Stat(filepath.Join(r.set.RunDir, boxFile)); err != nil {
		return
	}
	if used, err := memoryShare(); err == nil {
		r.alarmMemory(used)
	}
	if busy, err := r.load.cpuShare(); err == nil {
		r.alarmCPU(busy)
	}
	dir := filepath.Dir(r.set.ConfigFile)
	if free, err := freeShare(dir); err == nil {
		r.alarmDisk(dir, free)
	}
}

func (r *Router) alarmMemory(used int64) {
	r.journal.above(event.MemoryExceeded(), used, event.MemoryRaise, event.MemoryClear)
}

func (r *Router) alarmCPU(busy int64) {
	r.journal.aboveAfter(event.CPUExceeded(), busy, event.CPURaise, event.CPUClear, cpuLong)
}

// alarmDisk is told how much is left: less is worse.
func (r *Router) alarmDisk(dir string, free int64) {
	r.journal.above(event.DiskLow(dir), 100-free, 100-event.FreeRaise, 100-event.FreeClear)
}

// memoryShare is how much of the memory is in use, in percent.
func memoryShare() (int64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	return parseMemory(string(text))
}

func parseMemory(text string) (int64, error) {
	field := func(name string) int64 {
		_, rest, _ := strings.Cut(text, name+":")
		f := strings.Fields(rest)
		if len(f) == 0 {
			return 0
		}
		n, _ := strconv.ParseInt(f[0], 10, 64) // 0 when it is no number
		return n
	}
	total, available := field("MemTotal"), field("MemAvailable")
	if total <= 0 || available < 0 || available > total {
		return 0, fmt.Errorf("read memory: total %d, available %d", total, available)
	}
	return 100 * (total - available) / total, nil
}

// cpuShare is how busy the processors were since the last look, in percent.
func (l *hostLoad) cpuShare() (int64, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read processors: %w", err)
	}
	busy, idle, err := parseCPU(string(text))
	if err != nil {
		return 0, err
	}
	b, i := busy-l.busy, idle-l.idle
	first := l.busy == 0
	l.busy, l.idle = busy, idle
	if first || b+i == 0 {
		return 0, nil
	}
	return int64(100 * b / (b + i)), nil
}

// parseCPU reads the first line of /proc/stat: ticks that were of use, ticks
// idle or waiting for a disk.
func parseCPU(text string) (busy, idle uint64, err error) {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	if len(f) < 6 || f[0] != "cpu" {
		return 0, 0, fmt.Errorf("read processors: %q", line)
	}
	for i, s := range f[1:min(len(f), 9)] { // those behind are counted in user already
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read processors: %w", err)
		}
		if i == 3 || i == 4 {
			idle += n
		} else {
			busy += n
		}
	}
	return busy, idle, nil
}

// freeShare is how much of a file system is left, in percent.
func freeShare(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("look at file system of %s: %w", dir, err)
	}
	if st.Blocks == 0 {
		return 100, nil
	}
	return int64(100 * st.Bavail / st.Blocks), nil
}
