// Command bench measures Waymark against kernel forwarding, nftables and
// wireguard-go on this machine, in the same run, and says what came out. It
// needs root; everything happens in network namespaces that it removes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"waymark/bench/host"
	"waymark/bench/report"
	"waymark/bench/rival"
	"waymark/cmd/lab/world"
)

func main() {
	if err := start(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// start is the bench itself, or one of the processes that it runs.
func start(args []string) error {
	if len(args) == 0 {
		return run(args)
	}
	switch {
	case args[0] == "wireguard" && len(args) == 2:
		return rival.RunWireGuard(args[1])
	case args[0] == "receive" && len(args) == 4:
		return receive(args[1:])
	case args[0] == "send" && len(args) == 2:
		addr, err := netip.ParseAddrPort(args[1])
		if err != nil {
			return err
		}
		return host.Send(addr)
	}
	return run(args)
}

// receive reads PORT WARM SPAN.
func receive(args []string) error {
	port, err := strconv.ParseUint(args[0], 10, 16)
	if err != nil {
		return err
	}
	warm, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	span, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	return host.Receive(uint16(port), warm, span)
}

// options are the command line.
type options struct {
	json, page string
	rounds     int
	span       time.Duration
	only       string
	verbose    bool
}

func run(args []string) error {
	quick := os.Getenv("QUICK") != "" && os.Getenv("QUICK") != "0"
	o := options{rounds: 7, span: 2 * time.Second}
	if quick {
		o.rounds, o.span = 5, 500*time.Millisecond
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.json, "json", "", "write the figures to this `file`")
	f.StringVar(&o.page, "page", "", "render the figures into this `file`; not with QUICK=1")
	f.IntVar(&o.rounds, "rounds", o.rounds, "rounds; every contestant runs once in each")
	f.DurationVar(&o.span, "span", o.span, "length of one measurement")
	f.StringVar(&o.only, "only", "", "only contestants whose name matches this `pattern`")
	f.BoolVar(&o.verbose, "v", false, "print the commands")
	if err := f.Parse(args); err != nil {
		return err
	}
	if quick {
		o.page = ""
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	return measure(ctx, o)
}

// measure builds the world, runs the rounds and reports.
func measure(ctx context.Context, o options) (err error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("read pattern: %w", err)
	}
	wo := world.Options{Bare: true}
	if o.verbose {
		wo.Log = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	}
	defer raise()()
	w, err := world.New(wo)
	if err != nil {
		return err
	}
	b := &bench{w: w, span: o.span, warm: 700 * time.Millisecond}
	defer func() { err = errors.Join(err, b.close(), w.Close()) }()
	machine := report.ThisMachine()
	fmt.Println(machine)
	if err := b.setUp(only.MatchString); err != nil {
		return err
	}
	values, failed := b.rounds(ctx, o.rounds, only.MatchString)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r := b.report(machine, values)
	r.Print(os.Stdout)
	return errors.Join(failed, compare(o, r), write(o, r))
}

// compare holds the figures against the page as it is committed, or as it lies
// there. A quick run is too short to judge.
func compare(o options, r *report.Report) error {
	if o.page == "" {
		return nil
	}
	text, err := exec.Command("git", "show", "HEAD:./"+o.page).Output()
	if err != nil {
		if text, err = os.ReadFile(o.page); err != nil {
			return nil // the first page
		}
	}
	var errs []error
	for _, f := range r.Fallen(report.ReadPage(string(text))) {
		errs = append(errs, errors.New(f))
	}
	return errors.Join(errs...)
}

// write leaves the report where the options say.
func write(o options, r *report.Report) error {
	var errs []error
	if o.json != "" {
		errs = append(errs, r.WriteJSON(o.json))
	}
	if o.page != "" {
		errs = append(errs, r.WritePage(o.page))
	}
	return errors.Join(errs...)
}
