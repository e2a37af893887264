package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"

	"waymark/mgmt/config"
	"waymark/mgmt/config/life"
	"waymark/svr/policy"
	"waymark/svr/router"
)

// defaultRun is the run directory when none is named.
const defaultRun = "/run/waymark"

func runRouter(ctx context.Context, args []string, _, stderr io.Writer) error {
	outlive()
	var c configFlags
	var s router.Settings
	f := newFlags("router", "router -config FILE -router NAME [-node NAME] -run DIR [-state DIR] [-lanes auto|go|bpf] [-profile cpe|hub|tiny] [-workers N] [-keep] [-drain TIME] [-set-clock] [-v]", stderr)
	c.add(f)
	f.StringVar(&s.RunDir, "run", "", "run `DIR`ectory: control socket, lock, events")
	f.StringVar(&s.StateDir, "state", "", "`DIR`ectory for what outlives a reboot (the run directory)")
	f.StringVar(&s.Lanes, "lanes", router.LanesAuto, "`LANES` to use: auto, go, bpf; for tests and measurements bpf,xdp (XDP even on veth) and bpf,tc")
	f.StringVar(&s.Profile, "profile", "", "`SIZE` of the pools: cpe, hub, tiny (cpe; tiny below 80 MB of RAM)")
	f.IntVar(&s.Workers, "workers", router.DefaultWorkers(), "`N` goroutines that encrypt and transmit for the service lane, each the packets of its flows; 0: the lane does it")
	f.BoolVar(&s.Keep, "keep", false, "leave addresses, routes, guard and the fast lane on an orderly stop")
	f.DurationVar(&s.Drain, "drain", router.DefaultDrain, "how much `TIME` sessions have that another version left in the kernel in a layout that this one cannot read; 0: they begin anew")
	f.BoolVar(&s.SetClock, "set-clock", false, "set the machine's clock by time servers: those of the configuration, or those that the networks told")
	verbose := f.Bool("v", false, "log more")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	if what := c.missing(); what != "" {
		return complain(f, what)
	}
	if s.RunDir == "" {
		return complain(f, "-run is missing")
	}
	router.LimitHeap()
	s.Log = logger(stderr, *verbose)
	changed, err := c.keep(ctx, s.Log)
	if err != nil {
		return err
	}
	tables, err := c.load(stderr)
	if err != nil {
		return err
	}
	s.Changed = changed
	s.Unconfirmed = func() (int, bool) {
		p, err := life.Open(c.file).Pending()
		if err != nil {
			return 0, false
		}
		return p.Version, true
	}
	s.Source = func() (*policy.Tables, config.Findings, error) { return router.Load(c.file, c.router, c.node) }
	if err := router.Run(ctx, s, tables); !errors.Is(err, router.ErrRestart) {
		return err
	}
	return startAgain()
}

// again marks a process that restarts itself to take a configuration. It is
// what tells it from one that crashed, after which an unconfirmed commit is undone.
const again = "WAYMARK_AGAIN"

// keep watches over commits. The channel tells when one was undone.
func (c *configFlags) keep(ctx context.Context, log *slog.Logger) (<-chan struct{}, error) {
	changed := make(chan struct{}, 1)
	k := &life.Keeper{Store: life.Open(c.file), Log: log, Undone: func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}}
	if os.Getenv(again) == "" {
		if err := k.Start(); err != nil { // better the configuration that is there than none
			log.Error("cannot undo the unconfirmed commit", "error", err)
		}
	}
	go k.Run(ctx)
	return changed, os.Unsetenv(again)
}

// startAgain replaces the process by a new one of the same command line.
func startAgain() error {
	exe, err := os.Executable()
	if err == nil {
		err = syscall.Exec(exe, os.Args, append(os.Environ(), again+"=1"))
	}
	return fmt.Errorf("start the router again: %w", err)
}

func logger(w io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
