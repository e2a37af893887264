package agent

import (
	"context"
	"maps"
	"net"
	"sync"
	"time"

	"waymark/mgmt/uplink/meter"
)

// wires are the TCP connections to Salt masters that do not run inside an
// uplink: what they cost, and how often they are probed. Masters never ping, so
// silence says nothing, and a NAT forgets what is silent.
type wires struct {
	mu   sync.Mutex // guards the rest
	idle time.Duration
	live map[*wire]bool
	past map[string]meter.Cost // of connections that ended, by master
}

// wire is one of them.
type wire struct {
	*net.TCPConn
	all   *wires
	host  string
	meter *meter.Meter
}

func newWires(idle time.Duration) *wires {
	return &wires{idle: idle, live: map[*wire]bool{}, past: map[string]meter.Cost{}}
}

// probing is how a connection is probed that was idle for so long.
func probing(idle time.Duration) net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: idle, Interval: max(10*time.Second, idle/6), Count: 3}
}

// dial connects to a master; host is what its row of the ledger is called.
func (w *wires) dial(ctx context.Context, host, network, address string) (net.Conn, error) {
	w.mu.Lock()
	d := net.Dialer{Timeout: 30 * time.Second, KeepAliveConfig: probing(w.idle)}
	w.mu.Unlock()
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	t, ok := c.(*net.TCPConn)
	if !ok {
		return c, nil
	}
	x := &wire{t, w, host, meter.New(t)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live[x] = true
	return x, nil
}

// keep has every connection probed after another idle time.
func (w *wires) keep(idle time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if idle == w.idle {
		return
	}
	w.idle = idle
	for x := range w.live {
		_ = x.SetKeepAliveConfig(probing(idle)) // fails with the connection
	}
}

// costs are those of each master so far.
func (w *wires) costs() map[string]meter.Cost {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := maps.Clone(w.past)
	for x := range w.live {
		all[x.host] = x.cost(all[x.host])
	}
	return all
}

// cost adds what the connection cost.
func (x *wire) cost(to meter.Cost) meter.Cost {
	packets, bytes := x.meter.Read()
	return meter.Cost{Packets: to.Packets + packets, Bytes: to.Bytes + bytes}
}

// Close implements net.Conn. The farewell is not counted: the kernel tells
// nothing of it.
func (x *wire) Close() error {
	x.all.mu.Lock()
	if x.all.live[x] {
		delete(x.all.live, x)
		x.all.past[x.host] = x.cost(x.all.past[x.host])
	}
	x.all.mu.Unlock()
	return x.TCPConn.Close()
}
