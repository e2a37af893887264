package pid1

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"waymark/image/panel"
	"waymark/image/supervise"
	"waymark/mgmt/box"
)

// front is what the board has of LEDs and a button; the loop's.
type front struct {
	leds   *panel.LEDs  // nil: none
	press  *panel.Press // nil: no button
	failed bool         // the LEDs do, which was said
}

// openPanel takes the LEDs over, which tell from now on that the box boots, and
// listens to the button.
func (i *Init) openPanel() {
	if len(i.board.LEDs) > 0 {
		if err := i.loader.load("ledtrig_timer", ""); err != nil {
			i.log.Warn("LEDs do not blink", "error", err)
		}
		i.front.leds = panel.NewLEDs("/sys/class/leds", i.board.LEDs)
		i.showPanel()
	}
	if i.board.Button != nil {
		i.front.press = panel.NewPress(*i.board.Button)
		i.spawn(i.watchButton)
	}
}

// showPanel tells how the box is.
func (i *Init) showPanel() {
	if i.front.leds == nil {
		return
	}
	s := panel.State{Up: i.healthy && i.ended == nil, WAN: i.progress.wan, Alarm: i.starving, Held: i.front.press != nil && i.front.press.Down()}
	for _, v := range i.services {
		s.Alarm = s.Alarm || v.State().Phase == supervise.Looping
	}
	err := i.front.leds.Show(s)
	if err != nil && !i.front.failed {
		i.log.Warn("LEDs", "error", err)
	}
	i.front.failed = err != nil
}

// buttonWithin is how long the driver of a button may take to appear.
const buttonWithin = time.Minute

// watchButton reads the button's events for as long as it is there.
func (i *Init) watchButton() {
	for until := now() + buttonWithin; now() < until; time.Sleep(time.Second) {
		name := panel.Find("/sys", "/dev", *i.board.Button)
		if name == "" {
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			i.log.Warn("cannot read the button", "error", err)
			continue
		}
		i.log.Info("button", "device", name, "hold", i.board.Button.Hold)
		for b := make([]byte, panel.EventSize); ; {
			if _, err := f.Read(b); err != nil { // whole events only (Documentation/input)
				break
			}
			if key, value, ok := panel.Key(b); ok {
				i.post(func() { i.front.press.Event(key, value, now()) })
			}
		}
		f.Close()
		until = now() + buttonWithin
	}
	i.log.Warn("the board's button is not there", "name", i.board.Button.Device)
}

// pressed resets the box to factory when its button was held for long enough.
func (i *Init) pressed() {
	if i.front.press == nil || !i.front.press.Held(now()) {
		return
	}
	why := box.FactoryReset + ": button"
	i.log.Warn("asked", "for", box.FactoryReset, "why", "button")
	if err := i.data.askReset(Reason{WhyReboot, why, time.Now().UTC()}); err != nil {
		i.log.Error("cannot reset to factory", "error", err)
		return
	}
	i.reboot(why, unix.LINUX_REBOOT_CMD_RESTART)
}
