package sntp

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// System is the machine's clock.
type System struct{}

// Now reads it.
func (System) Now() time.Time { return time.Now() }

// Step sets it at once. Needs CAP_SYS_TIME.
func (System) Step(offset time.Duration) error {
	ts := unix.NsecToTimespec(time.Now().Add(offset).UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("step clock: %w", err)
	}
	return nil
}

// adjSingleshot is ADJ_OFFSET_SINGLESHOT of linux/timex.h: adjtime(3), 500 ppm.
const adjSingleshot = 0x8001

// Slew moves it by 0.5 ms a second. Needs CAP_SYS_TIME.
func (System) Slew(offset time.Duration) error {
	t := unix.Timex{Modes: adjSingleshot}
	setOffset(&t, offset.Microseconds())
	if _, err := unix.Adjtimex(&t); err != nil {
		return fmt.Errorf("slew clock: %w", err)
	}
	return nil
}

// Watch is a clock that nobody sets: what servers say is only shown.
type Watch struct{}

// Now reads the machine's clock.
func (Watch) Now() time.Time { return time.Now() }

// Step does nothing.
func (Watch) Step(time.Duration) error { return nil }

// Slew does nothing.
func (Watch) Slew(time.Duration) error { return nil }
