package field

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Threaded makes an interface receive in a kernel thread of its own, bound to
// one CPU, instead of in soft interrupts of whoever sends to it, and gives that
// thread a priority. The interface must receive by NAPI already.
func (l *Line) Threaded(ns, dev string, cpu, nice int) error {
	before := receivers(dev)
	if _, err := l.World.Exec(ns, "sh", "-c", "echo 1 > /sys/class/net/"+dev+"/threaded"); err != nil {
		return fmt.Errorf("make %s of %s threaded: %w", dev, ns, err)
	}
	var one unix.CPUSet
	one.Set(cpu)
	found := false
	for pid := range receivers(dev) {
		if before[pid] {
			continue
		}
		found = true
		if err := unix.SchedSetaffinity(pid, &one); err != nil {
			return fmt.Errorf("bind receiver of %s to CPU %d: %w", ns, cpu, err)
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, pid, nice); err != nil {
			return fmt.Errorf("raise receiver of %s: %w", ns, err)
		}
	}
	if !found {
		return fmt.Errorf("make %s of %s threaded: no thread appeared", dev, ns)
	}
	return nil
}

// receivers are the kernel threads that receive for interfaces of a name, in
// all namespaces.
func receivers(dev string) map[int]bool {
	list := map[int]bool{}
	names, _ := filepath.Glob("/proc/[0-9]*/comm") // only a bad pattern is an error
	for _, f := range names {
		b, err := os.ReadFile(f)
		if err != nil || !strings.HasPrefix(string(b), "napi/"+dev+"-") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
			list[pid] = true
		}
	}
	return list
}
