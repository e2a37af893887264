package pid1

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"waymark/image/build"
)

// order is one line on the report port of a box with waymark.drill.
type order struct {
	Do      string   `json:"do"` // signal, run, read, reboot, off, panic, crash
	Service string   `json:"service"`
	Signal  int      `json:"signal"`
	Args    []string `json:"args"` // of waymark, for run
	File    string   `json:"file"` // of the run directory, for read
}

// takeOrders reads orders for as long as the port lives.
func (i *Init) takeOrders() {
	i.rawPort()
	for in := bufio.NewScanner(i.report.f); in.Scan(); {
		var o order
		if line := bytes.TrimSpace(in.Bytes()); json.Unmarshal(line, &o) == nil && o.Do != "" {
			i.post(func() { i.obey(o) })
		}
	}
}

// rawPort stops the terminal from echoing orders between the reports.
func (i *Init) rawPort() {
	fd := int(i.report.f.Fd())
	if t, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		t.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG
		t.Oflag &^= unix.OPOST
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
			i.log.Warn("report port echoes", "error", err)
		}
	}
}

// obey carries an order out. The loop's.
func (i *Init) obey(o order) {
	i.log.Warn("drill", "order", o.Do, "service", o.Service, "signal", o.Signal)
	switch o.Do {
	case "signal":
		for _, s := range i.services {
			if s.Name == o.Service && s.pid != 0 {
				_ = unix.Kill(s.pid, syscall.Signal(o.Signal)) // an end is reported
			}
		}
	case "run":
		i.run(o.Args)
	case "read":
		b, err := os.ReadFile(filepath.Join(RunDir, filepath.Base(o.File)))
		i.tell(report{"event": "read", "file": o.File, "text": string(b), "failed": err != nil})
	case "reboot":
		i.reboot("drill", unix.LINUX_REBOOT_CMD_RESTART)
	case "off":
		i.reboot("drill", unix.LINUX_REBOOT_CMD_POWER_OFF)
	case "panic":
		panic("drill")
	case "crash":
		_ = os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
	}
}

// run runs waymark with arguments and reports what it printed.
func (i *Init) run(args []string) {
	out, err := os.CreateTemp(RunDir, ".drill-")
	if err != nil {
		i.tell(report{"event": "ran", "args": args, "how": err.Error()})
		return
	}
	pid, err := syscall.ForkExec(build.Program, append([]string{"waymark"}, args...), &syscall.ProcAttr{
		Dir: "/", Env: []string{"PATH=/bin:/sbin"}, Files: []uintptr{0, out.Fd(), out.Fd()},
	})
	end := func(how string) {
		text, _ := os.ReadFile(out.Name())
		i.tell(report{"event": "ran", "args": args, "how": how, "out": string(text)})
		out.Close()
		os.Remove(out.Name())
	}
	if err != nil {
		end(err.Error())
		return
	}
	if i.drilled == nil {
		i.drilled = map[int]func(string){}
	}
	i.drilled[pid] = end
}
