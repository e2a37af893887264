package pid1

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"waymark/image/boot"
	"waymark/image/disk"
	"waymark/image/efivar"
	"waymark/image/slot"
	"waymark/mgmt/agent"
	"waymark/net/keep"
)

// slots is what init knows of the slots of the box. Without any, after a boot by
// other means than the loader's, box is nil.
type slots struct {
	box      *slot.Box
	found    disk.Found
	trial    bool // the running slot has to prove health
	decision slot.Decision
}

// UpdateDir is where the state of updates is kept: on the data partition, or
// where it does not last if there is none.
func UpdateDir() string {
	root := RunDir
	if mounted(boot.Mount{Target: DataDir}) {
		root = DataDir
	}
	return filepath.Join(root, "update")
}

// findSlots finds the slots of the running system, as soon as its disk is there.
func (i *Init) findSlots() error {
	if err := i.loader.load("efivarfs", ""); err != nil {
		return err
	}
	if err := unix.Mount("efivarfs", efivar.Dir, "efivarfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil && !errors.Is(err, unix.EBUSY) {
		return err
	}
	if err := i.loader.load("efi_pstore", ""); err != nil { // before anybody asks why we started
		i.log.Warn("firmware keeps no record of the kernel's end", "error", err)
	}
	var err error
	for until := now() + i.board.Flash.Wait; ; time.Sleep(20 * time.Millisecond) {
		i.slots.box, i.slots.found, err = disk.FindBox(&i.info, i.log)
		if !errors.Is(err, disk.ErrNotFound) || now() >= until {
			return err
		}
	}
}

// openSlots looks whether the running slot is on trial. It comes before the data
// partition is touched: a version on trial must not mend what it cannot read.
func (i *Init) openSlots() {
	err := i.findSlots()
	if err == nil {
		i.slots.trial, err = i.slots.box.OnTrial()
	}
	if err != nil {
		i.slots.box = nil
		i.log.Warn("no slots, no updates", "error", err)
	}
}

// settleSlots finds out what became of an update.
func (i *Init) settleSlots() {
	s := &i.slots
	if s.box == nil {
		return
	}
	s.box.Store, s.box.Crash = slot.Dir(UpdateDir()), i.crashWords()
	d, err := s.box.Begin()
	if err != nil {
		i.log.Error("cannot settle the last update", "error", err)
	}
	s.decision = d
	if d.RolledBack {
		i.tell(report{"event": "rolled-back", "version": d.State.Refused.Version, "reason": d.State.Refused.Reason})
	}
}

// crashWords is how init or the kernel ended before this boot, if it did, in one
// line; the rest is kept beside. An init that crashed takes the kernel along.
func (i *Init) crashWords() string {
	if words := i.initWords(); words != "" {
		return "init crashed: " + words
	}
	if i.reason.Why == WhyKernel {
		return "the kernel panicked: " + i.reason.Detail
	}
	return ""
}

// initWords are the first of those that the runtime of init left, once.
func (i *Init) initWords() string {
	if i.data == nil {
		return ""
	}
	name := filepath.Join(i.data.dir("log"), crashFile)
	b, err := os.ReadFile(name)
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	if err != nil || line == "" {
		return ""
	}
	// The runtime of this boot has the file open, to append: it stays, emptied.
	if err := errors.Join(keep.Replace(name+".before", b, 0o600), os.Truncate(name, 0)); err != nil {
		i.log.Warn("cannot keep the words of a crash", "error", err)
	}
	return line
}

// slotStatus is what `show system` tells.
func (i *Init) slotStatus() slot.Status {
	st := slot.Status{}
	if i.slots.box != nil {
		st = i.slots.box.Status(i.slots.decision)
		st.Trial = i.slots.trial
	}
	if st.LastBootReason == "" { // it had nothing to do with an update
		st.LastBootReason = i.reason.Why
		if i.reason.Detail != "" {
			st.LastBootReason += ": " + i.reason.Detail
		}
	}
	return st
}

// startTrial watches over the trial, if there is one. A version that cannot
// mount the data partition has failed.
func (i *Init) startTrial() {
	p := i.slots.decision.State.Pending
	switch {
	case !i.slots.trial:
		return
	case i.slots.found.Data != "" && i.data == nil:
		i.giveUp("the data partition cannot be used")
		return
	case p == nil:
		i.giveUp("the state of the trial cannot be kept")
		return
	}
	i.log.Info("on trial", "version", p.Version, "seconds", p.TrialSeconds)
	i.spawn(func() {
		verdict, why, err := i.slots.box.Prove(context.Background(), *p, now, i.health)
		if err != nil {
			i.log.Error("trial", "error", err)
		}
		i.post(func() { i.judged(verdict, why) })
	})
}

// judged carries on after the trial. The loop's.
func (i *Init) judged(v slot.Verdict, why string) {
	if v == slot.GiveUp {
		i.reboot("update failed its trial: "+why, unix.LINUX_REBOOT_CMD_RESTART)
		return
	}
	i.slots.trial = false
	i.slots.decision.State.Refused = nil
	i.alarmTrial()
	i.tell(report{"event": "committed", "version": i.info.Version})
	i.saved()
}

// giveUp ends a trial that has nothing to wait for.
func (i *Init) giveUp(why string) {
	if err := i.slots.box.GiveUp(why); err != nil {
		i.log.Error("cannot give up the trial", "error", err)
	}
	i.judged(slot.GiveUp, why)
}

// noteTrial leaves word why a trial is about to end badly, if there is one.
func (i *Init) noteTrial(what string) {
	if !i.slots.trial || i.slots.box.Store == nil {
		return
	}
	if err := i.slots.box.Note(what); err != nil {
		i.log.Error("cannot note the state of the trial", "error", err)
	}
}

const (
	fresh     = 3 * askLate     // an answer of the router that is older is no progress
	loopLimit = 5 * time.Second // for the loop to answer
)

// health asks the loop how things are. A loop that does not answer is no health.
func (i *Init) health() slot.Health {
	answer := make(chan slot.Health, 1)
	limit := time.NewTimer(loopLimit)
	defer limit.Stop()
	select {
	case i.mail <- func() { answer <- i.looks() }:
	case <-limit.C:
		return slot.Health{}
	}
	select {
	case h := <-answer:
		return h
	case <-limit.C:
		return slot.Health{}
	}
}

// looks is health as the loop sees it. The router's answer tells of its
// own progress and the lanes'. Without a configuration there is no router to wait for.
func (i *Init) looks() slot.Health {
	h := slot.Health{Init: true, WANs: i.progress.wans, Conductor: agent.Reached(RunDir)}
	h.Router = !i.hasRouter() || i.progress.at != 0 && now()-i.progress.at < fresh
	h.Lanes = !i.hasRouter() || i.progress.lanesAt != 0 && now()-i.progress.lanesAt < fresh
	return h
}

// hasRouter tells whether a router is to run.
func (i *Init) hasRouter() bool {
	return i.routerConfig() != "" && i.routerName() != ""
}
