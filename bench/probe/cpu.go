package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is the CPU time of the calling thread, soft interrupts that it ran
// included (kernels without CONFIG_IRQ_TIME_ACCOUNTING).
func threadTime() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// softirqd finds the pid of ksoftirqd/CPU, 0 when it is hidden.
func softirqd(cpu int) int {
	want := fmt.Sprintf("ksoftirqd/%d\n", cpu)
	names, _ := filepath.Glob("/proc/[0-9]*/comm") // only a bad pattern is an error
	for _, f := range names {
		if b, err := os.ReadFile(f); err == nil && string(b) == want {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			return pid
		}
	}
	return 0
}

// ran is how long a process has run, by /proc/PID/schedstat; 0 when unknown.
func ran(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), " ")
	ns, _ := strconv.ParseInt(first, 10, 64)
	return time.Duration(ns)
}
