package sntp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"
)

var (
	t0    = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	floor = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

const nonce = 0x0123456789abcdef

// ntp is a time of 32.32 bits.
func ntp(t time.Time) uint64 {
	d := t.Sub(epoch)
	return uint64(d/time.Second)<<32 | uint64(d%time.Second)<<32/uint64(time.Second)
}

// reply is a server's answer whose clock is ahead of ours.
func reply(ahead time.Duration, change ...func([]byte)) []byte {
	b := make([]byte, packetLen)
	b[0], b[1] = version<<3|modeServer, 2
	binary.BigEndian.PutUint32(b[4:], 1<<16/10) // root delay 0.1 s
	binary.BigEndian.PutUint32(b[8:], 1<<16/100)
	copy(b[12:], []byte{192, 0, 2, 9})
	binary.BigEndian.PutUint64(b[24:], nonce)
	binary.BigEndian.PutUint64(b[32:], ntp(t0.Add(ahead+20*time.Millisecond)))
	binary.BigEndian.PutUint64(b[40:], ntp(t0.Add(ahead+25*time.Millisecond)))
	for _, c := range change {
		c(b)
	}
	return b
}

func set(i int, v ...byte) func([]byte) { return func(b []byte) { copy(b[i:], v) } }

// An answer 45 ms behind its question, the way there 20 ms, back 20 ms.
func TestRead(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
		want time.Duration
		err  error
	}{
		{"right", reply(0), 0, nil},
		{"ahead", reply(time.Hour), time.Hour, nil},
		{"behind", reply(-time.Hour), -time.Hour, nil},
		{"in 2036", reply(12 * 365 * 24 * time.Hour), 12 * 365 * 24 * time.Hour, nil},
		{"longer than it need be", append(reply(0), 1, 2, 3, 4), 0, nil},
		{"short", reply(0)[:47], 0, ErrAnswer},
		{"empty", nil, 0, ErrAnswer},
		{"a question", reply(0, set(0, version<<3|modeClient)), 0, ErrAnswer},
		{"version 0", reply(0, set(0, modeServer)), 0, ErrAnswer},
		{"another's", reply(0, set(24, 9)), 0, ErrAnswer},
		{"not synchronised", reply(0, set(0, 0xc0|version<<3|modeServer)), 0, ErrUnsync},
		{"stratum 16", reply(0, set(1, 16)), 0, ErrUnsync},
		{"far from the time", reply(0, set(8, 0, 2, 0, 0)), 0, ErrUnsync},
		{"no time", reply(0, set(32, make([]byte, 16)...)), 0, ErrUnsync},
		{"sent before it came", reply(0, set(40, 0x83, 0xaa, 0x7e, 0x80, 0, 0, 0, 0)), 0, ErrUnsync},
		{"DENY", reply(0, set(1, 0), set(12, 'D', 'E', 'N', 'Y')), 0, ErrDeny},
		{"RSTR", reply(0, set(1, 0), set(12, 'R', 'S', 'T', 'R')), 0, ErrDeny},
		{"RATE", reply(0, set(1, 0), set(12, 'R', 'A', 'T', 'E')), 0, ErrRate},
		{"another kiss", reply(0, set(1, 0), set(12, 'I', 'N', 'I', 'T')), 0, ErrUnsync},
	} {
		s, err := read(tt.b, nonce, t0, 45*time.Millisecond)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
		if tt.err != nil {
			continue
		}
		if (s.Offset-tt.want).Abs() > time.Microsecond || (s.Delay-40*time.Millisecond).Abs() > time.Microsecond || s.RefID != "192.0.2.9" ||
			s.Error < 80*time.Millisecond || s.Error > 85*time.Millisecond {
			t.Errorf("%s: %+v, want offset %v", tt.name, s, tt.want)
		}
	}
	if b := request(nonce); len(b) != 48 || b[0] != 0x23 || binary.BigEndian.Uint64(b[40:]) != nonce || [39]byte(b[1:40]) != [39]byte{} {
		t.Errorf("request %x", b)
	}
}

func machine() *Machine {
	return New(Config{Floor: floor, Random: func(time.Duration) time.Duration { return 0 }})
}

// Which servers agree, and what the clock needs.
func TestDecide(t *testing.T) {
	type heard struct {
		offset, err time.Duration
	}
	const ms = time.Millisecond
	for _, tt := range []struct {
		name string
		all  []heard
		want time.Duration
		step bool
		ok   bool
	}{
		{"none", nil, 0, false, false},
		{"one", []heard{{10 * ms, 5 * ms}}, 10 * ms, false, true},
		{"one, far", []heard{{-time.Hour, 5 * ms}}, -time.Hour, true, true},
		{"half a second", []heard{{500 * ms, 5 * ms}}, 500 * ms, true, true},
		{"less", []heard{{499 * ms, 5 * ms}}, 499 * ms, false, true},
		{"the nearer of two", []heard{{10 * ms, 50 * ms}, {20 * ms, 5 * ms}}, 20 * ms, false, true},
		{"two that contradict", []heard{{0, 5 * ms}, {time.Hour, 5 * ms}}, 0, false, false},
		{"one liar of three", []heard{{10 * ms, 20 * ms}, {time.Hour, ms}, {12 * ms, 10 * ms}}, 12 * ms, false, true},
		{"two liars of four", []heard{{0, ms}, {0, ms}, {time.Hour, ms}, {time.Hour, ms}}, 0, false, false},
		{"a chain, no common instant of all", []heard{{0, 10 * ms}, {15 * ms, 10 * ms}, {30 * ms, 10 * ms}}, 0, false, true},
	} {
		m := machine()
		var names []string
		for i := range tt.all {
			names = append(names, fmt.Sprint("s", i))
		}
		m.Use(0, names)
		for i, h := range tt.all {
			m.Heard(0, names[i], t0, Sample{Offset: h.offset, Error: h.err}, nil)
		}
		a, ok := m.Decide(0)
		if ok != tt.ok || ok && (a.Offset != tt.want || a.Step != tt.step) || ok != (m.Synced() == 0) {
			t.Errorf("%s: %+v, %t", tt.name, a, ok)
		}
		if _, again := m.Decide(0); again {
			t.Errorf("%s: decided twice on the same answers", tt.name)
		}
	}
}

// Nobody's time before the floor is believed, whatever our clock says.
func TestFloor(t *testing.T) {
	for _, tt := range []struct {
		ours   time.Time
		offset time.Duration
		ok     bool
	}{
		{time.Unix(0, 0), t0.Sub(time.Unix(0, 0)), true}, // no clock on board: a step forward
		{t0, -time.Hour, true},
		{t0, floor.Sub(t0) - time.Second, false},
		{time.Unix(0, 0), time.Hour, false},
	} {
		m := machine()
		m.Use(0, []string{"a"})
		m.Heard(0, "a", tt.ours, Sample{Offset: tt.offset, Error: 1}, nil)
		if _, ok := m.Decide(0); ok != tt.ok || errors.Is(m.Servers()[0].Err, ErrFloor) == tt.ok {
			t.Errorf("%v by %v: %t, %+v", tt.ours, tt.offset, ok, m.Servers())
		}
	}
}

// When servers are asked: longer and longer while they answer, from 16 s to an
// hour while they do not, half as often when they complain, never again when
// they deny.
func TestPolls(t *testing.T) {
	good := func() (Sample, error) { return Sample{Error: 1}, nil }
	fails := func(err error) func() (Sample, error) {
		return func() (Sample, error) { return Sample{}, err }
	}
	const s = time.Second
	for _, tt := range []struct {
		name  string
		heard func() (Sample, error)
		want  []time.Duration
	}{
		{"answers", good, []time.Duration{64 * s, 128 * s, 256 * s, 512 * s, 1024 * s, 1024 * s}},
		{"silent", fails(ErrUnsync), []time.Duration{16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 512 * s, 1024 * s, 2048 * s, 3600 * s, 3600 * s}},
		{"asked too often", fails(ErrRate), []time.Duration{1024 * s, 1024 * s}},
	} {
		m := machine()
		m.Use(0, []string{"a"})
		now := time.Duration(0)
		for i, want := range tt.want {
			if due := m.Due(now); len(due) != 1 {
				t.Fatalf("%s, %d: due %v", tt.name, i, due)
			}
			x, err := tt.heard()
			m.Heard(now, "a", t0, x, err)
			if got := m.Deadline() - now; got != want {
				t.Errorf("%s, %d: %v, want %v", tt.name, i, got, want)
			}
			now = m.Deadline()
		}
	}
	m := machine()
	m.Use(0, []string{"a"})
	m.Heard(0, "a", t0, Sample{}, ErrDeny)
	if m.Deadline() != Never || len(m.Due(time.Hour)) != 0 {
		t.Error("a server that denied is asked again")
	}
}

// Servers that answer are asked together; silent ones by themselves; new ones at
// once; those that stay keep what is known of them.
func TestUse(t *testing.T) {
	m := machine()
	m.Use(0, []string{"a", "b", "c"})
	m.Heard(0, "a", t0, Sample{Error: 1}, nil)
	m.Heard(0, "b", t0, Sample{Error: 1}, nil)
	m.Heard(0, "c", t0, Sample{}, ErrUnsync)
	m.Heard(time.Second, "b", t0, Sample{Error: 1}, nil) // later than a
	if due := m.Due(16 * time.Second); fmt.Sprint(due) != "[c]" {
		t.Errorf("silent one: due %v", due)
	}
	m.Heard(16*time.Second, "c", t0, Sample{}, ErrUnsync)
	m.Heard(48*time.Second, "c", t0, Sample{}, ErrUnsync)
	if due := m.Due(64 * time.Second); fmt.Sprint(due) != "[a b]" {
		t.Errorf("due %v", due)
	}
	m.Use(65*time.Second, []string{"d", "a"})
	if s := m.Servers(); len(s) != 2 || s[1].Reach != 1 || s[0].When >= 0 || m.Deadline() != 64*time.Second {
		t.Errorf("servers %+v, deadline %v", s, m.Deadline())
	}
	m.Heard(66*time.Second, "gone", t0, Sample{}, nil)
}

func FuzzRead(f *testing.F) {
	f.Add(reply(0), int64(45e6))
	f.Fuzz(func(t *testing.T, b []byte, took int64) {
		if s, err := read(b, nonce, t0, time.Duration(took)); err == nil && (s.Delay < 0 || s.Stratum == 0 || s.Stratum > 15) {
			t.Fatalf("%+v", s)
		}
	})
}
