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

// softirqd finds the schedstat of ksoftirqd/CPU, "" when it is hidden.
func softirqd(cpu int) string {
	want := fmt.Sprintf("ksoftirqd/%d\n", cpu)
	names, _ := filepath.Glob("/proc/[0-9]*/comm") // only a bad pattern is an error
	for _, f := range names {
		if b, err := os.ReadFile(f); err == nil && string(b) == want {
			return filepath.Join(filepath.Dir(f), "schedstat")
		}
	}
	return ""
}

// ran is how long a thread has run, by its schedstat; 0 when it is gone.
func ran(file string) time.Duration {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), " ")
	ns, _ := strconv.ParseInt(first, 10, 64)
	return time.Duration(ns)
}

// ProcessTime is the CPU time of all threads of a process.
func ProcessTime(pid int) (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return 0, fmt.Errorf("read CPU time of process %d: no threads", pid)
	}
	var sum time.Duration
	for _, f := range threads {
		sum += ran(f)
	}
	return sum, nil
}
