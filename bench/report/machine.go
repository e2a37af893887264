package report

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is where and when a run took place.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Commit string `json:"commit"`
	Date   string `json:"date"`
	Load   string `json:"load"` // load average over one minute at the start
}

// ThisMachine describes the machine that the program runs on. What cannot be
// found out is empty.
func ThisMachine() Machine {
	info, _ := os.ReadFile("/proc/cpuinfo") // without it the name is the architecture's
	m := Machine{CPU: cpuModel(string(info)), Cores: runtime.NumCPU(), Go: runtime.Version(), Date: time.Now().UTC().Format(time.DateOnly)}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if out, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(out))
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(b), " ")
	}
	return m
}

// cpuModel is what /proc/cpuinfo says of the first CPU. Virtual machines tell names
// that several generations share, so family and model are part of it.
func cpuModel(info string) string {
	said := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			said[strings.TrimSpace(name)] = strings.TrimSpace(value)
		} else if said["model name"] != "" {
			break // the end of the first one
		}
	}
	name := said["model name"]
	if name == "" {
		return runtime.GOARCH
	}
	if f, m := said["cpu family"], said["model"]; f != "" && m != "" {
		return fmt.Sprintf("%s (family %s, model %s)", name, f, m)
	}
	return name
}

// kind is what must be equal for figures to be comparable.
func (m Machine) kind() string { return fmt.Sprintf("%d × %s", m.Cores, m.CPU) }

// String is one line for people.
func (m Machine) String() string {
	return fmt.Sprintf("%s, Linux %s, %s, commit %s, %s, load %s", m.kind(), m.Kernel, m.Go, m.Commit, m.Date, m.Load)
}
