// Program guest is the init of both machines: it loads the modules that the
// archive lists, then does what is typed on the console. Every line is a number
// and a shell command; its end is reported with exit code and output.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	for _, m := range [][2]string{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}, {"tmpfs", "/tmp"}} {
		must(os.MkdirAll(m[1], 0o755))
		must(syscall.Mount(m[0], m[1], m[0], 0, ""))
	}
	must(os.MkdirAll("/dev/pts", 0o755))
	must(syscall.Mount("devpts", "/dev/pts", "devpts", 0, ""))
	must(os.Setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"))
	words, err := os.ReadFile("/proc/cmdline")
	must(err)
	port := func(key string) *os.File {
		f, err := os.OpenFile("/dev/"+string(regexp.MustCompile(key + `=(\w+)`).FindSubmatch(words)[1]), os.O_RDWR, 0)
		must(err)
		return f
	}
	report, console := port(`waymark\.report`), port("console")
	raw(report)
	raw(console)
	say(report, "boot", modules(), "")
	for in := bufio.NewScanner(console); in.Scan(); {
		number, command, _ := strings.Cut(strings.TrimSpace(in.Text()), " ")
		out, err := exec.Command("/bin/busybox", "sh", "-c", command).CombinedOutput()
		say(report, "done-"+number, err, string(out))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// raw keeps the terminal from changing what passes.
func raw(f *os.File) {
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	must(err)
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO
	must(unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t))
}

// modules loads those of /modules, in order.
func modules() error {
	list, err := os.ReadFile("/modules/order")
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(list)) {
		f, err := os.Open("/modules/" + name)
		if err != nil {
			return err
		}
		if err := unix.FinitModule(int(f.Fd()), "", unix.MODULE_INIT_COMPRESSED_FILE); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load %s: %w", name, err)
		}
		f.Close()
	}
	return nil
}

var start = time.Now()

func say(to *os.File, event string, err error, output string) {
	e := map[string]any{"event": event, "t": time.Since(start).Seconds(), "output": output}
	if err != nil {
		e["error"] = err.Error()
	}
	b, _ := json.Marshal(e)
	if _, err := to.Write(append(b, '\n')); err != nil {
		panic(err)
	}
}
