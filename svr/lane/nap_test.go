package lane

import (
	"testing"

	"golang.org/x/sys/unix"

	"waymark/svr/packet"
)

// TestNap: the lane naps until so many were in vain, never where others have no processor.
func TestNap(t *testing.T) {
	l, err := New(nil, NewHops(1), &bench2{}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const long = 4 * napTime
	for _, c := range []struct {
		name   string
		naps   bool
		vain   int
		woken  bool
		events int
		after  int  // naps in vain
		whole  bool // it waits for all of the time
	}{
		{"woken from a nap", true, 2, true, 1, 2, false},
		{"in vain", true, 0, false, 0, 1, false},
		{"the last in vain", true, napsMost - 1, false, 0, napsMost, false},
		{"no more naps", true, napsMost, false, 0, napsMost, true},
		{"woken from a wait", true, napsMost, true, 1, napsMost, false},
		{"one processor", false, 0, false, 0, 0, true},
	} {
		l.naps, l.vain = c.naps, c.vain
		if c.woken {
			l.mail.wake()
		}
		var events [8]unix.EpollEvent
		start := l.cfg.Clock()
		n, err := l.await(events[:], long)
		for err == unix.EINTR { // the collector of garbage wanted the processor
			start = l.cfg.Clock()
			n, err = l.await(events[:], long)
		}
		whole := l.cfg.Clock()-start >= (long-1)*1_000_000
		if n != c.events || err != nil || l.vain != c.after || c.whole && !whole {
			t.Errorf("%s: %d events, error %v, then %d naps in vain, the whole time %v; want %d, %d, %v",
				c.name, n, err, l.vain, whole, c.events, c.after, c.whole)
		}
		l.mail.clear()
	}
	if napTime*1_000_000 > wayEvery {
		t.Error("a nap is longer than the scheduler may wait")
	}
}

// TestNapEnds: a nap is no longer than what is left to the next deadline.
func TestNapEnds(t *testing.T) {
	l, err := New(nil, NewHops(1), &bench2{}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.naps = true
	var events [8]unix.EpollEvent
	var least int64 = 1 << 62 // of a few: others use the machine, too
	for range 10 {
		l.vain = 0
		start := l.cfg.Clock()
		if _, err := l.await(events[:], 1); err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		least = min(least, l.cfg.Clock()-start)
	}
	if least >= (napTime-1)*1_000_000 {
		t.Errorf("the shortest nap of 1 ms took %d ns", least)
	}
}

// feedOf is a Feed of so many turns, each with one packet for nobody.
type feedOf struct{ turns, fd int }

func (f *feedOf) FD() int      { return f.fd }
func (f *feedOf) Rest() bool   { return true }
func (f *feedOf) Lost() uint64 { return 0 }
func (f *feedOf) Feed(func(*packet.Packet, uint16, [6]byte)) int {
	if f.turns == 0 {
		return 0
	}
	f.turns--
	return 1
}

// TestNapsAgain: traffic makes the lane nap again, its mail does not.
func TestNapsAgain(t *testing.T) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	f := &feedOf{fd: fd}
	l, err := New(nil, NewHops(1), &bench2{}, Config{Feeds: []Feed{f}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.vain = napsMost
	l.mail.wake()
	if busy := l.round(); busy || l.vain != napsMost {
		t.Errorf("after mail: busy %v, %d naps in vain; want false, %d", busy, l.vain, napsMost)
	}
	f.turns = 1
	if busy := l.round(); !busy || l.vain != 0 {
		t.Errorf("after a packet: busy %v, %d naps in vain; want true, 0", busy, l.vain)
	}
}
