package panel_test

import (
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waymark/board"
	"waymark/image/panel"
)

const s = time.Second

// What a person sees, on a board with a LED for everything and with one alone.
func TestLights(t *testing.T) {
	type lights = map[board.Role]panel.Light
	three := map[board.Role]string{board.Power: "p", board.WAN: "w", board.Alarm: "a"}
	one := map[board.Role]string{board.Power: "p"}
	for name, row := range map[string]struct {
		state       panel.State
		three, just lights
	}{
		"booting":         {panel.State{}, lights{board.Power: panel.Fast, board.WAN: panel.Dark, board.Alarm: panel.Dark}, lights{board.Power: panel.Fast}},
		"no WAN":          {panel.State{Up: true}, lights{board.Power: panel.Steady, board.WAN: panel.Dark, board.Alarm: panel.Dark}, lights{board.Power: panel.Slow}},
		"up":              {panel.State{Up: true, WAN: true}, lights{board.Power: panel.Steady, board.WAN: panel.Steady, board.Alarm: panel.Dark}, lights{board.Power: panel.Steady}},
		"alarm":           {panel.State{Up: true, WAN: true, Alarm: true}, lights{board.Power: panel.Steady, board.WAN: panel.Steady, board.Alarm: panel.Steady}, lights{board.Power: panel.Flash}},
		"button is down":  {panel.State{Up: true, WAN: true, Held: true}, lights{board.Power: panel.Fast, board.WAN: panel.Steady, board.Alarm: panel.Dark}, lights{board.Power: panel.Fast}},
		"alarm, no WAN":   {panel.State{Up: true, Alarm: true}, lights{board.Power: panel.Steady, board.WAN: panel.Dark, board.Alarm: panel.Steady}, lights{board.Power: panel.Flash}},
		"alarm, booting":  {panel.State{Alarm: true}, lights{board.Power: panel.Fast, board.WAN: panel.Dark, board.Alarm: panel.Steady}, lights{board.Power: panel.Fast}},
		"WAN before boot": {panel.State{WAN: true}, lights{board.Power: panel.Fast, board.WAN: panel.Steady, board.Alarm: panel.Dark}, lights{board.Power: panel.Fast}},
	} {
		if got := panel.Lights(three, row.state); !maps.Equal(got, row.three) {
			t.Errorf("%s, three LEDs: %v, want %v", name, got, row.three)
		}
		if got := panel.Lights(one, row.state); !maps.Equal(got, row.just) {
			t.Errorf("%s, one LED: %v, want %v", name, got, row.just)
		}
		if got := panel.Lights(nil, row.state); len(got) != 0 {
			t.Errorf("%s, no LED: %v", name, got)
		}
	}
}

// A reset is wanted once the button has been down for long enough, not before,
// and once per press.
func TestPress(t *testing.T) {
	p := panel.NewPress(board.Button{Key: 116, Hold: 10 * s})
	held := func(at time.Duration, want bool) {
		t.Helper()
		if got := p.Held(at); got != want {
			t.Errorf("at %v: held %v", at, got)
		}
	}
	held(100*s, false)
	p.Event(115, 1, 100*s) // another key
	held(200*s, false)
	p.Event(116, 1, 200*s)
	if at, ok := p.Wake(); !ok || at != 210*s || !p.Down() {
		t.Errorf("wakes at %v, %v", at, ok)
	}
	p.Event(116, 0, 209*s) // let go in time
	held(215*s, false)
	p.Event(116, 1, 300*s)
	for at := 301 * s; at < 310*s; at += s {
		p.Event(116, 2, at) // repeats do not begin anew
		held(at, false)
	}
	held(310*s, true)
	held(311*s, false)
	if _, ok := p.Wake(); ok {
		t.Error("a press that has counted wakes the box")
	}
	p.Event(116, 0, 312*s)
	p.Event(116, 1, 313*s)
	held(322*s, false)
	held(323*s, true)
}

// fakeLED is a LED of sysfs; one without a timer refuses that trigger.
func fakeLED(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"trigger": "none", "brightness": "0", "max_brightness": "255\n", "delay_on": "", "delay_off": ""} {
		if err := os.WriteFile(filepath.Join(dir, name, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLEDs(t *testing.T) {
	dir := t.TempDir()
	fakeLED(t, dir, "green:power")
	fakeLED(t, dir, "green:wan")
	l := panel.NewLEDs(dir, map[board.Role]string{board.Power: "green:power", board.WAN: "green:wan"})
	is := func(name, file, want string) {
		t.Helper()
		// Files of sysfs hold the last write; these, what is longest of all.
		if b, err := os.ReadFile(filepath.Join(dir, name, file)); err != nil || len(b) < len(want) || string(b[:len(want)]) != want {
			t.Errorf("%s/%s: %q, %v, want %q", name, file, b, err, want)
		}
	}
	show := func(s panel.State) {
		t.Helper()
		if err := l.Show(s); err != nil {
			t.Error(err)
		}
	}
	show(panel.State{})
	is("green:power", "trigger", "timer")
	is("green:power", "delay_on", "100")
	is("green:power", "delay_off", "100")
	is("green:wan", "trigger", "none")
	is("green:wan", "brightness", "0")
	show(panel.State{Up: true, WAN: true})
	is("green:power", "trigger", "none")
	is("green:power", "brightness", "255")
	is("green:wan", "brightness", "255")
	if err := os.WriteFile(filepath.Join(dir, "green:wan", "brightness"), []byte("unchanged"), 0o644); err != nil {
		t.Fatal(err)
	}
	show(panel.State{Up: true, WAN: true})
	is("green:wan", "brightness", "unchanged")
	show(panel.State{Up: true})
	is("green:wan", "brightness", "0")

	lost := panel.NewLEDs(dir, map[board.Role]string{board.Power: "red:none"})
	for range 2 { // it is tried again
		if lost.Show(panel.State{}) == nil {
			t.Error("a LED that is not there is shown")
		}
	}
}

func TestFind(t *testing.T) {
	sys, dev := t.TempDir(), "/dev"
	for event, name := range map[string]string{"event0": "AT Keyboard", "event3": "Power Button"} {
		dir := filepath.Join(sys, "class/input", event, "device")
		err := os.MkdirAll(dir, 0o755)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "name"), []byte(name+"\n"), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"Power Button": "/dev/input/event3", "gpio-keys": ""} {
		if got := panel.Find(sys, dev, board.Button{Device: name}); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestKey(t *testing.T) {
	event := make([]byte, panel.EventSize)
	b := event[panel.EventSize-8:]
	binary.NativeEndian.PutUint16(b, 1)
	binary.NativeEndian.PutUint16(b[2:], 116)
	binary.NativeEndian.PutUint32(b[4:], 1)
	if key, value, ok := panel.Key(event); key != 116 || value != 1 || !ok {
		t.Errorf("key %d, value %d, %v", key, value, ok)
	}
	binary.NativeEndian.PutUint16(b, 0) // EV_SYN
	if _, _, ok := panel.Key(event); ok {
		t.Error("a synchronisation is a key")
	}
	if _, _, ok := panel.Key(event[1:]); ok {
		t.Error("half an event is a key")
	}
}
