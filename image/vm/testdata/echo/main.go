// Program echo is an init for the tests of package vm: it reports, says back what
// is typed on the console, and ends as it is told.
package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
)

func main() {
	_ = syscall.Mount("dev", "/dev", "devtmpfs", 0, "")
	_ = syscall.Mount("proc", "/proc", "proc", 0, "")
	words, _ := os.ReadFile("/proc/cmdline")
	port := func(key string) *os.File {
		m := regexp.MustCompile(key + `=(\w+)`).FindSubmatch(words)
		f, err := os.OpenFile("/dev/"+string(m[1]), os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		return f
	}
	report, console := port(`waymark\.report`), port("console")
	fmt.Fprintf(report, "no event\n{\"event\":\"boot\",\"t\":1.5,\"memory-mb\":%d}\n", memory())
	fmt.Fprint(console, "say> ")
	for in := bufio.NewScanner(console); in.Scan(); fmt.Fprint(console, "say> ") {
		switch word := strings.TrimSpace(in.Text()); word {
		case "off":
			_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
		case "again":
			_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
		case "panic":
			fmt.Fprint(report, "{\"event\":\"panic\",\"t\":2}\n")
		default:
			fmt.Fprintf(console, "<%s>\n", word)
		}
	}
}

func memory() int {
	var s syscall.Sysinfo_t
	_ = syscall.Sysinfo(&s)
	return int(s.Totalram >> 20)
}
