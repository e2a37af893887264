package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/box"
	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/client"
	"waymark/mgmt/uplink/outbox"
	"waymark/mgmt/uplink/queue"
	"waymark/net/resolve"
	"waymark/svr/router/ctl"
	"waymark/svr/router/eventfile"
)

// refind is how often the agent looks for conductors anew, besides at every
// change of the ways out.
const refind = 2 * time.Second

// uplinks are the connections of a box to its conductors, with all that is
// reported through them.
type uplinks struct {
	set      *Settings
	log      *slog.Logger
	id       string
	key      ssh.Signer
	saltKey  string // fingerprint
	pins     *pins
	queue    *queue.Queue
	board    *outbox.Board
	delivery *delivery
	journal  *journal
	wires    *wires

	mu      sync.Mutex // guards the rest
	ctx     context.Context
	running sync.WaitGroup
	links   map[string]*uplinkTo // by host
	wans    *resolve.File        // nil: nothing is known of the ways out
	found   time.Time            // when conductors were looked for
	router  string               // as the router says it is called
	node    string
}

// uplinkTo is the connection to one conductor.
type uplinkTo struct {
	place  place
	client *client.Client
	out    *outbox.Outbox
	stop   context.CancelFunc
}

// openUplinks makes them; run starts them.
func openUplinks(set *Settings, id, saltKey string) (_ *uplinks, err error) {
	a := &uplinks{set: set, log: set.Log, id: id, saltKey: saltKey, links: map[string]*uplinkTo{}}
	dir := filepath.Join(set.StateDir, "identity")
	if a.key, err = boxKey(dir, set.Log); err != nil {
		return nil, err
	}
	if a.pins, err = openPins(dir, set.Log); err != nil {
		return nil, err
	}
	if a.queue, err = queue.Open(filepath.Join(set.StateDir, "state", "events"), queue.Limits{}, nil); err != nil {
		return nil, err
	}
	a.board = outbox.NewBoard(a.queue)
	if a.journal, err = openJournal(set.RunDir, set.Log); err != nil {
		return nil, err
	}
	a.wires = newWires(a.saltIdle())
	a.delivery = newDelivery(a)
	set.Log.Info("agent: identity", "asset-id", id, "key", ssh.FingerprintSHA256(a.key.PublicKey()))
	return a, nil
}

// run lives until ctx ends.
func (a *uplinks) run(ctx context.Context) error {
	a.ctx = ctx
	a.running.Go(func() { newWatcher(a).run(ctx) })
	a.running.Go(func() { a.sample(ctx) })
	a.running.Go(func() { a.publish(ctx) })
	a.running.Go(func() { a.delivery.run(ctx) })
	<-ctx.Done()
	a.mu.Lock()
	for _, l := range a.links {
		l.stop()
	}
	a.mu.Unlock()
	a.running.Wait()
	a.journal.close()
	return a.queue.Close()
}

// due tells that it is time to look for conductors again.
func (a *uplinks) due() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Since(a.found) > refind
}

// setWays takes the ways out: conductors are where they say, and connections
// follow the live one.
func (a *uplinks) setWays(wans *resolve.File) {
	unsure := a.delivery.waiting()
	defer func() { a.wires.keep(a.saltIdle()) }() // once mu is free
	a.mu.Lock()
	defer a.mu.Unlock()
	moved, before := !sameWays(a.wans, wans), maps.Clone(a.links) // later ones know these ways
	a.wans, a.found = wans, time.Now()
	a.reconcile(a.set.places(wans), unsure)
	if !moved {
		return
	}
	for host, l := range before {
		if a.links[host] == l {
			go l.client.Moved(stays(wans))
		}
	}
}

// reconcile has connections to exactly these conductors; mu is held. Nothing is
// cut while nobody says where conductors are, or while what says so is not
// confirmed.
func (a *uplinks) reconcile(places []place, unsure bool) {
	if len(places) == 0 || a.ctx.Err() != nil {
		return
	}
	wanted := map[string]place{}
	for _, p := range places {
		wanted[p.Host] = p
	}
	for host, l := range a.links {
		if p, ok := wanted[host]; !unsure && (!ok || string(p.Key) != string(l.place.Key)) {
			a.log.Info("agent: conductor left", "conductor", host)
			l.stop()
			a.queue.Forget(host)
			delete(a.links, host)
		}
	}
	for host, p := range wanted {
		if a.links[host] == nil {
			a.log.Info("agent: conductor found", "conductor", host, "by", p.From)
			a.links[host] = a.connect(p)
		}
	}
}

// connect starts the connection to one conductor; mu is held.
func (a *uplinks) connect(p place) *uplinkTo {
	ctx, stop := context.WithCancel(a.ctx)
	l := &uplinkTo{place: p, out: a.board.For(p.Host), stop: stop}
	a.queue.Acked(p.Host, 0)
	l.client = client.New(a.config(p, l.out))
	a.running.Go(func() { l.client.Run(ctx) })
	if a.set.minionAt != nil {
		a.running.Go(func() { a.set.minionAt(ctx, p.Host, saltDialer(l.client)) })
	}
	return l
}

// config is that of a client.
func (a *uplinks) config(p place, out client.Outbox) client.Config {
	return client.Config{
		Asset: a.id, Key: a.key, Host: p.Host, Device: &device{a: a, host: p.Host}, Outbox: out,
		HostKey:   func(_ string, key ssh.PublicKey) error { return a.pins.check(p, key) },
		Dial:      a.set.dial,
		Keepalive: a.keepalive, Wake: a.board.Wake, OnState: a.changed, Timing: a.set.Uplink, Log: a.log,
	}
}

// changed notes what a conductor thinks of the box.
func (a *uplinks) changed(s client.Status) {
	a.log.Info("agent: uplink", "conductor", s.Host, "connected", s.Connected, "state", string(s.State), "reason", s.Reason)
	if s.Connected && s.State == uplink.StateAccepted {
		if err := a.pins.enrolled(s.Host); err != nil {
			a.log.Error("agent: enrolment is not kept", "err", err)
		}
	}
	a.journal.connectivity(s.Host, s.Connected && s.State == uplink.StateAccepted)
}

// Ports of Salt's two connections within the uplink, wherever the conductor's
// master listens.
const (
	saltPublications = 4505
	saltRequests     = 4506
)

// saltDialer dials the Salt master of a conductor within the SSH connection: a
// conductor that returns is found by one connection of each box, a box behind a
// NAT has one binding to keep, and nobody claims a key who has not proved another.
func saltDialer(c *client.Client) dialFunc {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if port == strconv.Itoa(saltRequests) {
			return c.Salt(ctx, saltRequests)
		}
		return c.Salt(ctx, saltPublications)
	}
}

// identify notes what the router is called.
func (a *uplinks) identify(router, node string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.router, a.node = router, node
}

// facts are what the box says of itself.
func (a *uplinks) facts() uplink.Facts {
	root := os.DirFS(a.set.Root)
	f := uplink.Facts{Software: "waymark", Boot: text(root, "proc/sys/kernel/random/boot_id"), SaltKey: a.saltKey,
		Serial: text(root, "sys/class/dmi/id/product_serial"), Metered: a.metered()}
	if st, err := box.Read(a.set.RunDir); err == nil {
		f.Software, f.Board = st.Version, st.Board
	}
	f.Router, f.Node, f.Config = a.delivery.running()
	return f
}

// link returns the connections, for tables.
func (a *uplinks) all() []*uplinkTo {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []*uplinkTo
	for _, l := range a.links {
		list = append(list, l)
	}
	return list
}

// errNotYet: what the box does now is not what it is to do.
var errNotYet = errors.New("the router has not come round with the configuration")

// routerTook tells that the router has come round since it began anew: before,
// addresses and routes are those of the configuration before, and whoever is
// reached by them proves nothing. A slow box takes longer than settle.
func (a *uplinks) routerTook(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var p struct {
		Router bool `json:"router"`
	}
	_, err := ctl.AskContext(ctx, a.set.RunDir, ctl.Request{Show: "progress"}, func(raw json.RawMessage) error { return json.Unmarshal(raw, &p) })
	if err == nil && !p.Router {
		err = errNotYet
	}
	return err
}

// probe finds out whether the box gets through to a conductor as it is
// configured now, with connections of their own.
func (a *uplinks) probe(ctx context.Context) error {
	wans, err := resolve.Read(filepath.Join(a.set.RunDir, resolveFile))
	if err != nil {
		wans = nil
	}
	places := a.set.places(wans)
	if len(places) == 0 {
		return fmt.Errorf("probe conductor: nobody says where one is")
	}
	var last error
	for _, p := range places {
		if last = client.New(a.config(p, nil)).Probe(ctx); last == nil {
			return nil
		}
	}
	return last
}

// eventsFile is the agent's in the run directory.
const eventsFile = "agent-events.jsonl"

// isLog tells whether a name of the run directory is a log that conductors may
// have.
func isLog(name string) bool {
	name = strings.TrimSuffix(name, eventfile.OldSuffix)
	return strings.HasSuffix(name, ".jsonl") || strings.HasSuffix(name, ".log")
}
