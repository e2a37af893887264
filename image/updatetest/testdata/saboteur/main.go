// Program saboteur is put in the place of /init in images that tests want to
// fail. It leaves a child that does the damage, and becomes the real init.
package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if os.Getpid() == 1 {
		mode, err := os.ReadFile("/etc/sabotage")
		if err == nil {
			_, err = os.StartProcess("/init", []string{"saboteur", string(mode)}, &os.ProcAttr{})
		}
		if err != nil {
			panic(err)
		}
		panic(syscall.Exec("/bin/waymark", []string{"init"}, nil))
	}
	switch os.Args[1] {
	case "crash": // init itself, as soon as it runs
		await("")
		_ = syscall.Kill(1, syscall.SIGABRT)
	case "hang": // the router, once all seemed well
		await(`"healthy": true`)
		for _, pid := range routers() {
			_ = syscall.Kill(pid, syscall.SIGSTOP)
		}
	}
}

// await waits until init says so in its state.
func await(text string) {
	for {
		if b, err := os.ReadFile("/run/waymark/init.json"); err == nil && bytes.Contains(b, []byte(text)) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func routers() (pids []int) {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, n := range names {
		if b, err := os.ReadFile(n); err == nil && bytes.HasPrefix(b, []byte("waymark\x00router\x00")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(n)))
			pids = append(pids, pid)
		}
	}
	return pids
}
