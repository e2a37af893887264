package pid1

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// ending is an orderly end: services are asked to stop, then the box goes.
type ending struct {
	why   string
	until time.Duration // not later than this
	look  func()        // whether all have stopped
}

// stopLimit is how long services may take to stop.
const stopLimit = 10 * time.Second

// catchCtrlAltDel makes the kernel ask us instead of rebooting at once.
func (i *Init) catchCtrlAltDel() {
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF); err != nil {
		i.log.Warn("Ctrl-Alt-Del resets at once", "error", err)
	}
}

// reboot ends the box in order: services stop, clock and files are saved. how is
// a command of reboot(2). The loop's.
func (i *Init) reboot(why string, how int) {
	if i.ended != nil {
		return
	}
	i.log.Info("ends", "why", why)
	i.say("waymark: ends: %s\n", why)
	i.lastWords(WhyReboot, why)
	for _, s := range i.services {
		s.Disable()
		if s.pid != 0 {
			_ = unix.Kill(s.pid, unix.SIGTERM) // it may have ended meanwhile
		}
		i.judge.Excuse(s.Name)
	}
	i.ended = &ending{why: why, until: now() + stopLimit}
	i.ended.look = func() {
		for _, s := range i.services {
			if s.pid != 0 && now() < i.ended.until {
				return
			}
		}
		i.off(how)
	}
	i.spawn(func() {
		time.Sleep(stopLimit)
		i.post(i.ended.look)
	})
	i.ended.look()
}

// off saves what lasts and ends the kernel's work. It does not return.
func (i *Init) off(how int) {
	if i.data.resetAsked() {
		if err := i.data.finishReset(); err != nil { // the next boot tries again
			i.log.Error("cannot forget everything", "error", err)
		}
	} else {
		i.keepLogs(i.ended.why)
	}
	if err := i.data.saveClock(time.Now()); err != nil {
		i.log.Error("cannot save clock", "error", err)
	}
	i.data.close()
	err := unix.Reboot(how)
	i.die(fmt.Sprintf("cannot end: %v", err), "")
}

// countdown is for people at the console to read.
const countdown = 5

// die is the end when init cannot go on: it tells everyone who may hear, counts
// down and starts the box again. It does not return.
func (i *Init) die(what, stack string) {
	i.tell(report{"event": "panic", "what": what})
	i.log.Error(what, "stack", stack)
	if i.console == nil {
		os.Stderr.WriteString(what + "\n" + stack + "\n") // the kernel gave us its console
	}
	i.say("\nwaymark: %s\n%s\n", what, stack)
	i.lastWords(WhyPanic, what)
	i.noteTrial(what)
	if i.data != nil {
		_ = i.data.put("log/panic.txt", []byte(time.Now().UTC().Format(time.RFC3339)+" "+what+"\n"+stack))
	}
	i.keepLogs(what)
	for n := countdown; n > 0; n-- {
		i.say("waymark: starts again in %d s\n", n)
		time.Sleep(time.Second)
	}
	i.data.close()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	runtime.Goexit() // not reached while the kernel can reboot; its panic is next
}
