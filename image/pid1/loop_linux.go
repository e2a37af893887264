package pid1

import (
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"waymark/image/supervise"
	"waymark/mgmt/box"
	"waymark/svr/event"
)

// loop runs the box. It never returns.
func (i *Init) loop() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGCHLD, unix.SIGTERM, unix.SIGINT, unix.SIGPWR)
	i.catchCtrlAltDel()
	i.spawn(i.askForProgress)
	i.spawn(i.takeRequests)
	kernel := i.logs.of("kernel")
	i.spawn(func() { i.followKernel(kernel) })
	if i.services[0].State().Phase == supervise.Disabled {
		i.nowHealthy() // nothing is asked of a box without configuration
	}
	tick := time.NewTimer(0)
	for {
		i.startDue()
		i.feed()
		i.pressed()
		i.showPanel()
		tick.Reset(i.pause())
		select {
		case s := <-signals:
			if s != unix.SIGCHLD {
				i.reboot("signal "+s.String(), unix.LINUX_REBOOT_CMD_RESTART)
			}
		case fn := <-i.mail:
			fn()
		case <-tick.C:
		}
		i.reap() // whatever woke us: a signal may be one for several ends
		i.hourly()
	}
}

// pause until something is due by itself.
func (i *Init) pause() time.Duration {
	p := saveEvery
	if i.dog != nil {
		p = i.dog.timeout / 4
	} else if i.anyRunning() {
		p = routerPulse.Silence / 4
	}
	for _, s := range i.services {
		if at, ok := s.Wake(); ok {
			p = min(p, at-now())
		}
	}
	if i.front.press != nil {
		if at, ok := i.front.press.Wake(); ok {
			p = min(p, at-now())
		}
	}
	if i.ended != nil {
		p = min(p, i.ended.until-now())
	}
	return max(p, time.Millisecond)
}

func (i *Init) anyRunning() bool {
	for _, s := range i.services {
		if s.Running() {
			return true
		}
	}
	return false
}

// feed feeds the watchdog while everyone makes progress, and says who does not.
func (i *Init) feed() {
	late := i.judge.Late(now())
	switch {
	case len(late) > 0 && !i.starving:
		i.starving = true
		i.hungry = now()
		i.lastWords(WhyWatchdog, "no progress of "+join(late))
		i.keepLogs("no progress of " + join(late))
		i.noteTrial("no progress of " + join(late) + ", the watchdog reset it")
		i.tell(report{"event": "starving", "late": late})
		i.say("waymark: no progress of %s, the watchdog is not fed any more\n", join(late))
		i.alarm(event.Stuck(late), true)
	case len(late) == 0 && i.starving:
		i.starving = false
		i.alarm(event.Stuck(late), false)
		if err := i.data.dropWords(); err != nil {
			i.log.Warn("cannot take back last words", "error", err)
		}
	}
	switch {
	case i.dog == nil && i.starving && now()-i.hungry > i.board.Watchdog.Timeout:
		i.die("no progress of "+join(late)+", and no watchdog", "") // its part is ours
	case i.dog != nil && !i.starving:
		if err := i.dog.feed(); err != nil {
			i.log.Error("cannot feed watchdog", "error", err)
		}
	}
}

// hourly saves the clock once in a while.
func (i *Init) hourly() {
	if now()-i.savedClock < saveEvery {
		return
	}
	i.savedClock = now()
	if err := i.data.saveClock(time.Now()); err != nil {
		i.log.Error("cannot save clock", "error", err)
	}
}

// saved publishes what others may know of init.
func (i *Init) saved() {
	st := i.slotStatus()
	s := box.State{Board: i.board.Name, Version: i.info.Version, Counter: i.info.Counter, Started: i.bootTime(), Healthy: i.healthy,
		LastBootReason: st.LastBootReason, AssetID: i.assetID, Slot: st.Slot, Trial: st.Trial, RefusedVersion: st.RefusedVersion, RefusedReason: st.RefusedReason}
	if i.data != nil {
		s.Data = i.data.device
	}
	if i.dog != nil {
		s.Watchdog = i.dog.Name
	}
	for _, v := range i.services {
		v := v.State()
		s.Processes = append(s.Processes, box.Process{Name: v.Name, State: string(v.Phase), Starts: v.Starts, LastExit: v.Last})
	}
	if err := box.Write(RunDir, &s); err != nil {
		i.log.Error("cannot publish state", "error", err)
	}
}
