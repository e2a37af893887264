package panel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"waymark/board"
)

// LEDs are those of a board. One goroutine.
type LEDs struct {
	dir   string // /sys/class/leds
	names map[board.Role]string
	shown map[board.Role]Light
}

// NewLEDs returns the LEDs of a board below dir, /sys/class/leds. Nothing is known
// of what they do.
func NewLEDs(dir string, names map[board.Role]string) *LEDs {
	return &LEDs{dir: dir, names: names, shown: map[board.Role]Light{}}
}

// Show makes the LEDs tell a state. Only what changes is written; a LED that fails
// is tried again next time.
func (l *LEDs) Show(s State) (err error) {
	for role, light := range Lights(l.names, s) {
		if was, known := l.shown[role]; known && was == light {
			continue
		}
		if e := l.set(l.names[role], light); e != nil {
			err = errors.Join(err, fmt.Errorf("set LED %s: %w", l.names[role], e))
			continue
		}
		l.shown[role] = light
	}
	return err
}

// set has the kernel blink (Documentation/leds/leds-class.rst), so that nobody
// wakes up for it. A kernel without its timer shows a steady light instead.
func (l *LEDs) set(name string, light Light) error {
	write := func(file, text string) error {
		f, err := os.OpenFile(filepath.Join(l.dir, name, file), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		return errors.Join(err, f.Close())
	}
	if light.Off > 0 && write("trigger", "timer") == nil {
		return errors.Join(write("delay_on", strconv.FormatInt(light.On.Milliseconds(), 10)),
			write("delay_off", strconv.FormatInt(light.Off.Milliseconds(), 10)))
	}
	if err := write("trigger", "none"); err != nil {
		return err
	}
	if light == Dark {
		return write("brightness", "0")
	}
	most, err := os.ReadFile(filepath.Join(l.dir, name, "max_brightness"))
	if err != nil {
		return err
	}
	return write("brightness", strings.TrimSpace(string(most)))
}

// Find returns the device of a button below dev, by its name below
// sys/class/input; "" if it is not there.
func Find(sys, dev string, b board.Button) string {
	names, _ := filepath.Glob(filepath.Join(sys, "class/input/event*/device/name")) // the pattern is right
	for _, file := range names {
		if text, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(text)) == b.Device {
			return filepath.Join(dev, "input", filepath.Base(filepath.Dir(filepath.Dir(file))))
		}
	}
	return ""
}

// EventSize is that of struct input_event (linux/input.h): two words of time, then
// type, code and value.
const EventSize = 2*strconv.IntSize/8 + 8

// Key reads an event: ok if it is one of a key.
func Key(event []byte) (key uint16, value int32, ok bool) {
	const evKey = 1
	if len(event) < EventSize {
		return 0, 0, false
	}
	b := event[EventSize-8:]
	return binary.NativeEndian.Uint16(b[2:]), int32(binary.NativeEndian.Uint32(b[4:])), binary.NativeEndian.Uint16(b) == evKey
}
