package host

import (
	"context"
	"sync"

	"waymark/net/dhcp4"
	"waymark/net/link"
	"waymark/net/pppoe"
	"waymark/svr/policy"
)

// client is what gets an interface its address: by DHCP, by PPPoE.
type client interface {
	Run(ctx context.Context)
	Link(up bool)
}

// clients are those of one protocol, one for each interface that has one, and
// what they told last, a status S.
type clients[C client, S any] struct {
	changed chan struct{} // holds one: look again

	runs map[policy.IfID]*clientRun[C] // the Kernel's goroutine's

	mu     sync.Mutex // guards what follows
	status map[policy.IfID]S
}

// clientRun is a client that runs on one device.
type clientRun[C client] struct {
	client C
	index  int
	mac    [6]byte
	up     bool   // as the client was told
	seen   uint32 // carrier changes
	stop   func() // ends the client and waits for it
}

func newClients[C client, S any](changed chan struct{}) clients[C, S] {
	return clients[C, S]{changed: changed, runs: map[policy.IfID]*clientRun[C]{}, status: map[policy.IfID]S{}}
}

// on returns the client of an interface if it runs on this device. One that
// runs on another, or whose device is gone, ends.
func (d *clients[C, S]) on(id policy.IfID, l link.Link, there bool) *clientRun[C] {
	run := d.runs[id]
	if run != nil && (!there || run.index != l.Index || run.mac != l.MAC) {
		d.end(id)
		return nil
	}
	return run
}

// run lets a client run on a device until end.
func (d *clients[C, S]) run(id policy.IfID, l link.Link, c C) *clientRun[C] {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { c.Run(ctx) })
	run := &clientRun[C]{client: c, index: l.Index, mac: l.MAC, seen: l.Changes, stop: func() { cancel(); done.Wait() }}
	d.runs[id] = run
	return run
}

// link tells a client of its link, and of flaps nobody saw.
func (r *clientRun[C]) link(l link.Link, up bool) {
	if up != r.up || up && r.seen != l.Changes {
		r.client.Link(up)
	}
	r.up, r.seen = up, l.Changes
}

// end ends the client of an interface. What it keeps in a file stays.
func (d *clients[C, S]) end(id policy.IfID) {
	d.runs[id].stop()
	delete(d.runs, id)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.status, id)
}

// close ends all clients; nothing is released.
func (d *clients[C, S]) close() {
	for id := range d.runs {
		d.end(id)
	}
}

func (d *clients[C, S]) get(id policy.IfID) S {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status[id]
}

// put is called by clients.
func (d *clients[C, S]) put(id policy.IfID, s S) {
	d.mu.Lock()
	d.status[id] = s
	d.mu.Unlock()
	select {
	case d.changed <- struct{}{}:
	default: // one look sees all
	}
}

// Changed is poked when a client has news, or another status.
func (k *Kernel) Changed() <-chan struct{} { return k.dhcp.changed }

// TakeLeased returns the news of addresses since the last call.
func (k *Kernel) TakeLeased() []Leased { return k.dhcp.take() }

// DHCP is the status of an interface's DHCP client; safe for any goroutine.
func (k *Kernel) DHCP(id policy.IfID) dhcp4.Status { return k.dhcp.get(id) }

// PPPoE is the status of an interface's PPPoE client; safe for any goroutine.
func (k *Kernel) PPPoE(id policy.IfID) pppoe.Status { return k.pppoe.get(id) }

// EndDHCP ends the DHCP clients; nothing is released.
func (k *Kernel) EndDHCP() { k.dhcp.close() }
