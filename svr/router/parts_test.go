package router

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"waymark/svr/event"
	"waymark/svr/lane"
	"waymark/svr/packet"
	"waymark/svr/router/ctl"
)

// Every table has one that makes its rows, and no more.
func TestEveryTableIsMade(t *testing.T) {
	for i := range ctl.Tables {
		table := &ctl.Tables[i]
		if _, ok := producers[table.What]; !ok {
			t.Errorf("nobody makes %s", table.What)
		}
	}
	for what := range producers {
		if _, err := ctl.Find(what); err != nil {
			t.Error(err)
		}
	}
}

func TestWorkersSetting(t *testing.T) {
	for n, fine := range map[int]bool{-1: false, 0: true, 2: true, lane.MaxWorkers: true, lane.MaxWorkers + 1: false} {
		s := Settings{Workers: n}
		if _, err := s.profile(); (err == nil) != fine || err != nil && !errors.Is(err, ErrSettings) {
			t.Errorf("%d workers: got %v", n, err)
		}
	}
}

func TestProfile(t *testing.T) {
	for _, row := range []struct {
		lanes, profile, want string
	}{
		{"auto", "cpe", "cpe"}, {"bpf", "cpe", "cpe"}, {"go", "hub", "hub"}, {"", "tiny", "tiny"},
		{"fast", "cpe", ""}, {"auto", "huge", ""}, {"bpf,xdp", "cpe", "cpe"}, {"bpf,tc", "cpe", "cpe"}, {"go,xdp", "cpe", ""},
	} {
		s := Settings{Lanes: row.lanes, Profile: row.profile}
		p, err := s.profile()
		if err != nil && !errors.Is(err, ErrSettings) {
			t.Errorf("%+v: %v is not ErrSettings", row, err)
		}
		if p.Name != row.want {
			t.Errorf("%+v: got %q, %v", row, p.Name, err)
		}
	}
}

const smaps = `00400000-00695000 r-xp 00000000 fe:00 9988021                            /usr/bin/waymark
Size:               2644 kB
Rss:                2600 kB
Pss:                2600 kB
Anonymous:             8 kB
00695000-00952000 r--p 00295000 fe:00 9988021                            /usr/bin/waymark
Size:               2740 kB
Rss:                2500 kB
c000000000-c002000000 rw-p 00000000 00:00 0
Rss:               20000 kB
VmFlags: rd wr mr mw me ac sd
7f9fff590000-7f9fff690000 rw-s 00000000 00:09 228298                     socket:[228298]
Rss:                1024 kB
7ffd3a5f4000-7ffd3a5f6000 r-xp 00000000 00:00 0                          [vdso]
Rss:                   4 kB
`

const status = `Name:	waymark
VmRSS:	   26124 kB
RssAnon:	   20008 kB
RssFile:	    5092 kB
RssShmem:	    1024 kB
Threads:	7
`

func TestSumMemory(t *testing.T) {
	scan := func(text string) *bufio.Scanner { return bufio.NewScanner(strings.NewReader(text)) }
	if got, err := sumText(scan(smaps)); err != nil || got != 2592<<10 {
		t.Errorf("text: got %d, %v", got, err)
	}
	if got, err := sumStatus(scan(status)); err != nil || got != (20008+5092+1024)<<10 {
		t.Errorf("all: got %d, %v", got, err)
	}
	if got, err := usedMemory(); err != nil || got < 1<<20 {
		t.Errorf("this process: got %d, %v", got, err)
	}
}

func TestJournalLevels(t *testing.T) {
	set := &Settings{RunDir: t.TempDir(), Log: quiet()}
	j, err := openJournal(set, "r", "n")
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	for _, row := range []struct{ used, alarms int }{{89, 0}, {90, 1}, {85, 1}, {80, 0}} {
		j.level(event.SessionTable(), row.used, 100)
		if got := len(j.active()); got != row.alarms {
			t.Errorf("at %d of 100: %d alarms, want %d", row.used, got, row.alarms)
		}
	}
	if got := len(j.events()); got != 2 {
		t.Errorf("%d events, want add and clear", got)
	}
}

func TestLockNamesTheOwner(t *testing.T) {
	tables := acme(t, "branch1")
	for i := range tables.Interfaces {
		tables.Interfaces[i].Target = "no-such-dev" + fmt.Sprint(i)
	}
	one := &Settings{RunDir: t.TempDir(), Log: quiet()}
	l, err := lock(one, tables)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{one.RunDir, t.TempDir()} {
		_, err := lock(&Settings{RunDir: dir, Log: quiet()}, tables)
		if !errors.Is(err, ErrOwned) || !strings.Contains(err.Error(), "router branch1, process ") {
			t.Errorf("second lock: got %v", err)
		}
	}
	l.release()
	if l, err = lock(one, tables); err != nil {
		t.Fatalf("after release: %v", err)
	}
	l.release()
}

func TestWarmHops(t *testing.T) {
	w := newWarmHops(lane.NewHops(2))
	a, b, c := [16]byte{1}, [16]byte{2}, [16]byte{3}
	id, ok := w.get(1, a, 4, 1)
	if !ok {
		t.Fatal("no next-hop")
	}
	w.hops.Release(id)
	if again, _ := w.get(1, a, 4, 2); again != id {
		t.Errorf("warm next-hop: got %d, want %d", again, id)
	}
	w.hops.Release(id)
	w.cool(int64(time.Minute) + 10)
	if used, _ := w.hops.Len(); used != 0 {
		t.Errorf("%d next-hops after a minute, want 0", used)
	}
	w.get(1, a, 4, 3) // held by a session
	id, _ = w.get(1, b, 4, 3)
	w.hops.Release(id) // warm only
	if _, ok = w.get(1, c, 4, 4); !ok {
		t.Error("a warm next-hop does not give way")
	}
	if _, ok = w.get(1, b, 4, 4); ok {
		t.Error("a table of two holds three")
	}
}

// The adapter is on every packet's way.
func TestAdapterAllocates(t *testing.T) {
	prof, err := FindProfile("tiny")
	if err != nil {
		t.Fatal(err)
	}
	a := &adapter{hops: newWarmHops(lane.NewHops(prof.Hops))}
	p, err := Assemble(acme(t, "branch1"), prof, Options{Out: a, Alarms: a, Now: 1})
	if err != nil {
		t.Fatal(err)
	}
	a.engine = p.Engine
	var pkt packet.Packet
	buf, now := make([]byte, 2048), int64(1)
	if n := testing.AllocsPerRun(1000, func() {
		now += 1e6
		pkt.Reset(buf, 512, 600, 1)
		a.Receive(&pkt, now)
		a.Tick(now)
	}); n != 0 {
		t.Errorf("%v allocations per packet, want 0", n)
	}
}
