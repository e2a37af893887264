package session

// stamp is a time of the engine's clock in four bytes of a record: milliseconds,
// rounded up, modulo 2^32; 0 stands for none. It is read against the clock and
// is then up to 49 days old or lies up to a quarter of an hour ahead.
type stamp uint32

// stampAhead is how many milliseconds a stamp may lie before the clock.
const stampAhead = 15 * 60 * 1000

// stampOf returns the stamp of t nanoseconds.
func stampOf(t int64) stamp { return max(stamp((t+1e6-1)/1e6), 1) }

// time returns when s was, in nanoseconds, read at now: never before that time,
// less than a millisecond behind it.
func (s stamp) time(now int64) int64 {
	ms := (now + 1e6 - 1) / 1e6
	back := int64(stamp(ms) - s)
	if back > 1<<32-stampAhead {
		back -= 1 << 32
	}
	return (ms - back) * 1e6
}

// age is when a session began: units of 2^ageShift ns (17 ms) of the engine's
// clock, rounded up, modulo 2^32. It is read against the clock; a session that
// lives longer than a year looks young again, which only `show sessions` tells.
type age uint32

const ageShift = 24

// ageOf returns the age of a session that begins at t nanoseconds.
func ageOf(t int64) age { return age((t + 1<<ageShift - 1) >> ageShift) }

// time returns when the session began, read at now: never before that time, up
// to 17 ms behind it.
func (a age) time(now int64) int64 {
	return (now>>ageShift - int64(int32(age(now>>ageShift)-a))) << ageShift
}

// tick is a time of the engine's clock in two bytes: units of tickUnit, rounded
// up, modulo 2^16; 0 stands for none. It is read against the clock and is then up
// to 57 s old or lies up to 8 s ahead. One that is older looks younger than it is,
// now and then: a handshake waits a little longer.
type tick uint16

// beat is a tick of beatUnit, up to 19 minutes old: what must not happen too often
// is put off once more when it looks younger.
type beat uint16

const (
	tickUnit  = int64(1e6)  // nanoseconds
	beatUnit  = int64(20e6) // nanoseconds
	nearAhead = 1 << 13     // how far they may lie before the clock, in their units

	longestBeat = (1<<16 - nearAhead - 1) * beatUnit
)

func tickOf(t int64) tick { return tick(cut(t, tickUnit)) }
func beatOf(t int64) beat { return beat(cut(t, beatUnit)) }

// time returns when s was, in nanoseconds, read at now: never before that time,
// up to two units behind it.
func (s tick) time(now int64) int64 { return near(uint16(s), now, tickUnit) }
func (s beat) time(now int64) int64 { return near(uint16(s), now, beatUnit) }

// cut is t in units, rounded up, and never zero.
func cut(t, unit int64) uint16 { return max(uint16((t+unit-1)/unit), 1) }

// near returns the time closest to now, or before it, that cut gives so many
// units.
func near(units uint16, now, unit int64) int64 {
	clock := (now + unit - 1) / unit
	back := int64(uint16(clock) - units)
	if back > 1<<16-nearAhead {
		back -= 1 << 16
	}
	return (clock - back) * unit
}
