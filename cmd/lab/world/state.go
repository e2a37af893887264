package world

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// state is a world's file below RunRoot: enough to take it away when its owner
// is gone. A pid counts only together with its start time.
type state struct {
	Name   string    `json:"name"`
	Keep   bool      `json:"keep"`
	Owner  process   `json:"owner"`
	Spaces []string  `json:"namespaces"` // without the world's name
	Procs  []process `json:"procs"`
}

type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
}

func randomName() string {
	var b [2]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return fmt.Sprintf("wm%x", b)
}

func stateFile(name string) string { return filepath.Join(RunRoot, name+".json") }

// claim makes the world's directory, which is also the lock on its name.
func (w *World) claim() error {
	if err := w.makeDir(); errors.Is(err, fs.ErrExist) {
		return ErrExists
	} else if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.saveState()
}

// makeDir makes the world's directory. Whoever takes the last world away takes
// RunRoot along, which may be this moment: then it is made again.
func (w *World) makeDir() error {
	for {
		if err := os.MkdirAll(RunRoot, 0o755); err != nil {
			return err
		}
		if err := os.Mkdir(w.Dir, 0o755); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// saveState replaces the state file; w.mu is held.
func (w *World) saveState() error {
	start, err := startTime(os.Getpid())
	if err != nil {
		return err
	}
	s := state{Name: w.Name, Keep: w.opts.Keep, Owner: process{os.Getpid(), start}, Spaces: w.spaces}
	for _, p := range w.procs {
		s.Procs = append(s.Procs, process{p.PID(), p.start})
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp := stateFile(w.Name) + ".new"
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, stateFile(w.Name))
}

// startTime reads field 22 of /proc/PID/stat: clock ticks from boot to the
// process's start. A zombie counts as gone.
func startTime(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // the name may hold blanks
	if len(f) < 20 {
		return 0, fmt.Errorf("read stat of %d: %d fields", pid, len(f))
	}
	if f[0] == "Z" || f[0] == "X" {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseUint(f[19], 10, 64)
}

func (p process) alive() bool {
	start, err := startTime(p.PID)
	return err == nil && start == p.Start
}

// states reads every world's state file. A directory without one belongs to a
// world that is being claimed this moment.
func states() ([]state, error) {
	files, err := filepath.Glob(filepath.Join(RunRoot, "*.json"))
	if err != nil {
		return nil, err
	}
	var list []state
	for _, f := range files {
		data, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var s state
		if err == nil {
			err = json.Unmarshal(data, &s)
		}
		if err != nil {
			return nil, fmt.Errorf("read state %s: %w", f, err)
		}
		list = append(list, s)
	}
	return list, nil
}

// Sweep removes the worlds whose owner died without Close; kept ones stay.
func Sweep() error {
	list, err := states()
	for _, s := range list {
		if !s.Keep && !s.Owner.alive() {
			err = errors.Join(err, s.remove())
		}
	}
	return err
}

// Remove takes a kept world away; false: there is none of this name.
func Remove(name string) (bool, error) {
	list, err := states()
	if err != nil {
		return false, err
	}
	for _, s := range list {
		if s.Name == name && s.Keep {
			return true, s.remove()
		}
	}
	return false, nil
}

// remove stops the recorded processes that still are the same ones, then
// removes namespaces and files.
func (s state) remove() error {
	var errs []error
	s.signal(stopSignal)
	if err := Until(stopGrace, "end of processes", s.allGone); err != nil {
		s.signal(syscall.SIGKILL)
		errs = append(errs, Until(stopGrace, "end of killed processes", s.allGone))
	}
	return errors.Join(append(errs, removeRest(s.Name, s.Spaces))...)
}

// removeRest removes what a world has besides its processes; what is gone
// already is fine.
func removeRest(name string, spaces []string) error {
	errs := []error{removeNamespaces(name, spaces), os.RemoveAll(filepath.Join(RunRoot, name))}
	if err := os.Remove(stateFile(name)); !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	_ = os.Remove(RunRoot) // fails while another world is there
	return errors.Join(errs...)
}

func (s state) signal(sig syscall.Signal) {
	for i := len(s.Procs) - 1; i >= 0; i-- {
		if p := s.Procs[i]; p.alive() {
			_ = syscall.Kill(-p.PID, sig) // it leads its group; gone this moment is fine
		}
	}
}

func (s state) allGone() (bool, error) {
	for _, p := range s.Procs {
		if p.alive() {
			return false, nil
		}
	}
	return true, nil
}

// removeNamespaces deletes the namespaces of one world; links, routes, rules
// and programs in them go with them. Whatever process is still inside was
// started there by us, or entered for play, and ends first.
func removeNamespaces(name string, spaces []string) error {
	var errs []error
	for _, space := range spaces {
		ns := name + "-" + space
		if !isNamespace(ns) {
			continue
		}
		endInside(ns)
		out, err := exec.Command("ip", "netns", "del", ns).CombinedOutput()
		if err != nil && isNamespace(ns) { // gone: another sweep was faster
			errs = append(errs, fmt.Errorf("delete namespace %s: %w: %s", ns, err, out))
		}
	}
	return errors.Join(errs...)
}

func isNamespace(ns string) bool {
	_, err := os.Stat("/run/netns/" + ns)
	return err == nil
}

// endInside kills the processes whose network namespace is ns, ourselves apart.
func endInside(ns string) {
	out, _ := exec.Command("ip", "netns", "pids", ns).Output() // nothing found: nothing to end
	for _, field := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 1 && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL) // gone this moment is fine
		}
	}
}

// Leftovers lists what worlds left on this machine although their owners are
// gone: namespaces, directories and processes. Kept worlds are not leftovers, nor
// are those that come and go meanwhile: a state file is there before the first
// namespace of its world and until the last is gone.
func Leftovers() ([]string, error) {
	names, _ := filepath.Glob("/run/netns/*") // only a bad pattern is an error
	list, err := states()
	if err != nil {
		return nil, err
	}
	live := map[string]bool{}
	var found []string
	for _, s := range list {
		live[s.Name] = s.Keep || s.Owner.alive()
		if !live[s.Name] {
			found = append(found, "state of dead world "+s.Name)
		}
	}
	return append(found, strayNamespaces(names, live)...), nil
}

// strayNamespaces finds, of those seen before the live worlds were, namespaces
// with a world's name and no live world.
func strayNamespaces(names []string, live map[string]bool) []string {
	var found []string
	for _, path := range names {
		ns := filepath.Base(path)
		world, _, ok := strings.Cut(ns, "-")
		if ok && isWorldName(world) && !live[world] && isNamespace(ns) {
			found = append(found, "namespace "+ns)
		}
	}
	return found
}

// isWorldName tells names that New or the lab gives from those of others.
func isWorldName(s string) bool {
	if s == LabName {
		return true
	}
	hex, ok := strings.CutPrefix(s, "wm")
	_, err := strconv.ParseUint(hex, 16, 16)
	return ok && len(hex) == 4 && err == nil
}

// LabName is the name of the world that `lab up` keeps.
const LabName = "wmlab"
