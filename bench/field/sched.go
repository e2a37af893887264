package field

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Bound runs fn on a thread that is bound to one CPU. Processes that it starts
// inherit that.
func Bound(cpu int, fn func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return fmt.Errorf("read affinity: %w", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("bind to CPU %d: %w", cpu, err)
	}
	defer unix.SchedSetaffinity(0, &old)
	return fn()
}

// RealTime runs fn on a thread of the real-time class, as are the processes
// that it starts: a transfer is a chain of processes that wake each other, and
// beside any other work of the machine each link would wait for its turn, the
// more the more links a contestant has. Where the machine does not allow it, fn
// runs as it is.
func RealTime(fn func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set := func(policy, priority uint32) error {
		return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy, Priority: priority}, 0)
	}
	if set(unix.SCHED_RR, 1) == nil {
		defer set(unix.SCHED_NORMAL, 0)
	}
	return fn()
}
