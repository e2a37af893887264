// Package panel is what a box shows and takes without a cable: its LEDs and its
// button. What a state looks like and when a press counts is pure; LEDs and Find
// touch sysfs.
package panel

import (
	"time"

	"waymark/board"
)

// State is what a person is told.
type State struct {
	Up    bool // the box is healthy; before, it boots
	WAN   bool // an interface that leads out has an address
	Alarm bool // something is wrong that the box does not mend by itself
	Held  bool // the button is down
}

// Light is what one LED does.
type Light struct {
	On, Off time.Duration // of a blink; Off 0: steady, both 0: dark
}

// The lights. With one LED alone a box can still be told apart.
var (
	Dark   = Light{}
	Steady = Light{On: time.Second}
	Fast   = Light{100 * time.Millisecond, 100 * time.Millisecond} // it boots, or the button is down
	Slow   = Light{500 * time.Millisecond, 500 * time.Millisecond} // there is no WAN
	Flash  = Light{50 * time.Millisecond, 950 * time.Millisecond}  // there is an alarm
)

// Lights says what each LED of a board does in a state. What a board has no LED of
// its own for, the power LED tells.
func Lights(leds map[board.Role]string, s State) map[board.Role]Light {
	has := func(r board.Role) bool { return leds[r] != "" }
	all := map[board.Role]Light{board.Power: Steady, board.WAN: Dark, board.Alarm: Dark}
	if s.WAN {
		all[board.WAN] = Steady
	}
	if s.Alarm {
		all[board.Alarm] = Steady
	}
	switch {
	case s.Held, !s.Up:
		all[board.Power] = Fast
	case s.Alarm && !has(board.Alarm):
		all[board.Power] = Flash
	case !s.WAN && !has(board.WAN):
		all[board.Power] = Slow
	}
	for role := range all {
		if !has(role) {
			delete(all, role)
		}
	}
	return all
}

// Press follows one button. One goroutine.
type Press struct {
	button board.Button
	down   bool
	since  time.Duration
	done   bool // this press has counted
}

// NewPress returns the state of a button that is not down.
func NewPress(b board.Button) *Press { return &Press{button: b} }

// Event takes a key event: value 1 is down, 0 up, 2 the repetition of one that is
// down (Documentation/input/input.rst). Keys other than the button's are none of ours.
func (p *Press) Event(key uint16, value int32, now time.Duration) {
	switch {
	case key != p.button.Key:
	case value == 0:
		p.down = false
	case value == 1 && !p.down:
		p.down, p.since, p.done = true, now, false
	}
}

// Down tells whether it is pressed.
func (p *Press) Down() bool { return p.down }

// Wake says when Held will have something new to say, false for never.
func (p *Press) Wake() (at time.Duration, ok bool) {
	return p.since + p.button.Hold, p.down && !p.done
}

// Held tells once per press that it has been down for long enough: a factory reset
// is wanted.
func (p *Press) Held(now time.Duration) bool {
	at, ok := p.Wake()
	if !ok || now < at {
		return false
	}
	p.done = true
	return true
}
