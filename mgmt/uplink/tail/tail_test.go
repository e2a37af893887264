package tail_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/queue"
	"waymark/mgmt/uplink/tail"
	"waymark/svr/event"
	"waymark/svr/router/eventfile"
)

// rig is a process that tells events, and the queue they go into.
type rig struct {
	t     *testing.T
	name  string
	state string
	file  *eventfile.File
	log   *event.Log
	q     *queue.Queue
	f     *tail.Follower
	told  int
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, name: filepath.Join(t.TempDir(), "events.jsonl"), state: t.TempDir()}
	r.process()
	r.agent()
	return r
}

// process begins the process that tells anew, as after a kill.
func (r *rig) process() {
	f, last, err := eventfile.Open(r.name)
	if err != nil {
		r.t.Fatal(err)
	}
	r.file, r.log = f, event.New(event.Config{Router: "r", Node: "n", Process: "router", First: last + 1})
}

// agent begins the one that follows anew.
func (r *rig) agent() {
	if r.q != nil {
		r.f.Close()
		r.q.Close()
	}
	q, err := queue.Open(r.state, queue.Limits{}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.q, r.f = q, tail.New(r.name, "router", q)
	r.t.Cleanup(func() { q.Close() })
}

func (r *rig) write(rec event.Record) {
	r.t.Helper()
	if err := r.file.Append(rec); err != nil {
		r.t.Fatal(err)
	}
}

// tell tells n events; their messages count up.
func (r *rig) tell(n int) {
	r.t.Helper()
	for range n {
		r.told++
		r.write(r.log.Tell(time.Now(), event.Event{Kind: event.KindSystem, Type: "system.x", Message: fmt.Sprint(r.told)}))
	}
}

func (r *rig) poll() {
	r.t.Helper()
	if _, err := r.f.Poll(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) all() (list []uplink.Event, lost uint64) {
	r.t.Helper()
	for read := r.q.Reader(0); ; {
		e, err := read.Batch()
		if err != nil {
			r.t.Fatal(err)
		}
		if e == nil {
			return list, lost
		}
		list, lost = append(list, e.Events...), lost+e.Lost
	}
}

// each wants every event once, in order.
func (r *rig) each() {
	r.t.Helper()
	list, lost := r.all()
	n := 0
	for _, e := range list {
		if e.Record.Type != "system.x" {
			continue
		}
		if n++; e.Record.Message != fmt.Sprint(n) {
			r.t.Fatalf("event %d is %q", n, e.Record.Message)
		}
	}
	if n != r.told || lost != 0 {
		r.t.Fatalf("%d events of %d, %d lost", n, r.told, lost)
	}
}

// Whoever is killed, and whenever files are exchanged: each event once.
func TestFollow(t *testing.T) {
	r := newRig(t)
	r.poll() // nothing yet
	for round := range 8 {
		r.tell(400) // files are exchanged now and then
		if round%3 == 1 {
			r.agent()
		}
		if round%4 == 2 {
			half, err := os.OpenFile(r.name, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := half.WriteString(`{"id":"n.r:`); err != nil { // killed while it wrote
				t.Fatal(err)
			}
			half.Close()
			r.poll()
			r.process()
		}
		r.poll()
	}
	r.poll()
	r.each()
}

// A box that was restarted begins its numbers anew; alarms of before are over.
func TestOtherLife(t *testing.T) {
	r := newRig(t)
	alarm := event.Alarm{Category: event.Peer, Severity: event.Major, Source: "hub1", Message: "down", Key: "k"}
	add, _ := r.log.Raise(time.Now(), alarm)
	r.write(add)
	r.tell(5)
	r.poll()
	if err := os.Remove(r.name); err != nil {
		t.Fatal(err)
	}
	r.process()
	r.tell(3)
	add, _ = r.log.Raise(time.Now(), alarm)
	r.write(add)
	r.agent()
	r.poll()
	r.each()
	list, _ := r.all()
	var kinds []string
	for _, e := range list {
		if e.Record.Kind == event.KindAlarm {
			kinds = append(kinds, fmt.Sprint(e.Record.Type, " of ", e.Alarm))
		}
	}
	if want := "[add of 1 clear of 1 add of 11]"; fmt.Sprint(kinds) != want {
		t.Errorf("alarms %v, want %s", kinds, want)
	}
	// A process that began anew without the box: the same.
	r.write(r.log.Tell(time.Now(), event.Event{Kind: event.KindSystem, Type: "system.router_started"}))
	r.poll()
	if a := r.q.Active("router"); len(a) != 0 {
		t.Errorf("still active: %+v", a)
	}
}

// What nobody read in time is told as lost.
func TestOvertaken(t *testing.T) {
	r := newRig(t)
	r.tell(10)
	r.poll()
	for range 4000 { // more than the file that is open and the two that follow it hold
		r.write(r.log.Tell(time.Now(), event.Event{Kind: event.KindSystem, Type: "system.y", Message: "y", Source: strings.Repeat("y", 500)}))
	}
	r.tell(1)
	r.poll()
	list, lost := r.all()
	if lost == 0 || len(list)+int(lost) != 4011 || list[len(list)-1].Record.Message != "11" {
		t.Errorf("%d there, %d lost", len(list), lost)
	}
}
