// Package world builds networks out of Linux network namespaces: a client, a
// branch, two ISPs, a hub, servers and an internet host, as the example
// configuration acme.json expects them. The lab shows it to people, tests of
// any package may build one; several can live side by side. It needs root and
// the commands ip, nft, ethtool and (for captures) tcpdump.
package world

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options say what New builds. The zero value is a world of its own for one
// test: random name, no address on the LTE port.
type Options struct {
	Name  string // first part of every namespace's name; empty: "wm" and four random hex digits
	Keep  bool   // the world outlives this process; Remove takes it away
	NoLTE bool   // leave the branch's LTE port without an address, as before a DHCP lease
	MTU   int    // of every ISP link; 0: 1500
	Bare  bool   // no namespaces yet: the caller adds its own

	// Waymark is the router's binary. Empty: $WAYMARK_BIN, else `go build` of
	// cmd/waymark at the first StartRouter.
	Waymark string

	// Log is told each command that is run; nil: nobody.
	Log func(format string, args ...any)
}

// World is a set of namespaces and the processes started in them. Its methods
// may be called from several goroutines.
type World struct {
	Name string // first part of every namespace's name
	Dir  string // configurations, run directories, logs and captures; Close removes it
	// What every router that starts from now on is told: Wrap goes before its
	// command, Lanes is its -lanes (empty: it decides by itself).
	Wrap  []string
	Lanes string

	opts Options

	mu     sync.Mutex // guards what follows and the state file
	spaces []string   // namespaces, without the world's name
	cables []cable
	leased bool // the LTE port has its address
	procs  []*Proc
	closed bool

	ending   sync.Once
	endError error // of the one Close that did the work
}

// Namespaces of every world that is not bare.
const (
	Client   = "client"    // 192.168.1.10, fd00:1::10: a staff machine behind the branch
	Guest    = "guest"     // 192.168.20.10: a visitor behind the branch, on a port of its own
	Branch   = "branch"    // router branch1 of acme.json: lan0, lan1, wan0, wan1
	ISPFiber = "isp-fiber" // the internet: knows public prefixes only
	ISPLTE   = "isp-lte"   // a carrier with source NAT towards the internet
	Hub      = "hub"       // router hub1 of acme.json: lan0, wan0
	Server   = "server"    // 10.20.0.5, 10.20.0.80, fd00:20::5, fd00:20::80
	Internet = "internet"  // 192.0.2.10: a host anywhere
)

// RunRoot holds a directory and a state file per live world.
const RunRoot = "/run/waymark-lab"

// ErrExists says that a world of this name is up already.
var ErrExists = errors.New("a world of this name is up")

// New builds the world and returns when every link has carrier. First it
// removes the worlds whose owner died without Close. On error nothing is left.
func New(o Options) (*World, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("build world: network namespaces need root")
	}
	if err := Sweep(); err != nil {
		return nil, fmt.Errorf("sweep dead worlds: %w", err)
	}
	w, err := claim(o)
	if err != nil || o.Bare {
		return w, err
	}
	if err := w.build(); err != nil {
		return nil, errors.Join(fmt.Errorf("build world %s: %w", w.Name, err), w.Close())
	}
	return w, nil
}

// claim takes the name that the options say, or one that no other world has.
func claim(o Options) (*World, error) {
	for {
		name := o.Name
		if name == "" {
			name = randomName()
		}
		w := &World{Name: name, Dir: filepath.Join(RunRoot, name), opts: o}
		err := w.claim()
		switch {
		case err == nil:
			return w, nil
		case o.Name != "" || !errors.Is(err, ErrExists):
			return nil, fmt.Errorf("claim name %s: %w", name, err)
		}
	}
}

// Close stops the world's processes (SIGTERM, after 20 s SIGKILL) and removes
// its namespaces, directory and state file. Whoever waits for one of them sees
// its end. A second call waits for the first and returns what it did.
func (w *World) Close() error {
	w.ending.Do(func() { w.endError = w.end() })
	return w.endError
}

func (w *World) end() error {
	w.mu.Lock()
	procs, spaces := w.procs, w.spaces
	w.procs, w.closed = nil, true
	w.mu.Unlock()
	for i := len(procs) - 1; i >= 0; i-- { // last started stops first
		procs[i].signal(stopSignal)
	}
	deadline := time.Now().Add(stopGrace)
	var errs []error
	for _, p := range procs {
		errs = append(errs, p.finish(time.Until(deadline)))
	}
	return errors.Join(append(errs, removeRest(w.Name, spaces))...)
}

// NS returns the full name of a namespace, as `ip netns` lists it.
func (w *World) NS(ns string) string { return w.Name + "-" + ns }

// Path returns a file's path in the world's directory.
func (w *World) Path(elem ...string) string {
	return filepath.Join(append([]string{w.Dir}, elem...)...)
}

func (w *World) logf(format string, args ...any) {
	if w.opts.Log != nil {
		w.opts.Log(format, args...)
	}
}
