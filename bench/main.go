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
	"syscall"
	"time"

	"waymark/bench/host"
	"waymark/bench/report"
	"waymark/bench/rival"
	"waymark/bench/subject"
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
	case args[0] == "send" && len(args) == 3:
		addr, err := netip.ParseAddrPort(args[1])
		if err != nil {
			return err
		}
		return host.Send(addr, args[2])
	}
	return run(args)
}

// receive reads ADDRESS WARM SPAN.
func receive(args []string) error {
	at, err := netip.ParseAddrPort(args[0])
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
	return host.Receive(at, warm, span)
}

// options are the command line.
type options struct {
	json, page string
	pace       pace
	only       string
	verbose    bool
}

// Paces of a whole run and of a quick one.
var (
	wholePace = pace{rounds: 7, span: 500 * time.Millisecond, transfer: 1500 * time.Millisecond, warm: 700 * time.Millisecond,
		settle: 100 * time.Millisecond, step: 200 * time.Millisecond}
	quickPace = pace{rounds: 2, span: 200 * time.Millisecond, transfer: 400 * time.Millisecond, warm: 700 * time.Millisecond,
		settle: 60 * time.Millisecond, step: 100 * time.Millisecond, quick: true}
)

func run(args []string) error {
	o := options{pace: wholePace}
	if q := os.Getenv("QUICK"); q != "" && q != "0" {
		o.pace = quickPace
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.json, "json", "", "write the figures to this `file`")
	f.StringVar(&o.page, "page", "", "render the figures into this `file`; not with QUICK=1 or -only")
	f.IntVar(&o.pace.rounds, "rounds", o.pace.rounds, "rounds; every contestant runs once in each")
	f.DurationVar(&o.pace.span, "span", o.pace.span, "length of a measurement of packets")
	f.DurationVar(&o.pace.transfer, "transfer", o.pace.transfer, "length of a TCP transfer")
	f.DurationVar(&o.pace.step, "step", o.pace.step, "length of one offered load")
	f.StringVar(&o.only, "only", "", "only the figures of these `ids`, with commas between them")
	f.StringVar(&subject.Workers, "workers", "", "`number` of workers of the routers; they decide by themselves without")
	f.StringVar(&host.Congestion, "congestion", host.Congestion, "congestion `control` of the TCP senders")
	f.BoolVar(&o.verbose, "v", false, "print the commands")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.pace.rounds < 1 {
		return fmt.Errorf("-rounds %d: at least 1 is needed", o.pace.rounds)
	}
	if err := host.CheckCongestion(host.Congestion); err != nil {
		return fmt.Errorf("-congestion: %w", err)
	}
	if o.pace.quick || o.only != "" {
		o.page = ""
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	return measure(ctx, o)
}

// measure builds the world, runs the rounds and reports.
func measure(ctx context.Context, o options) (err error) {
	list, wanted, err := choose(o.only)
	if err != nil {
		return err
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
	b := &bench{pace: o.pace, ctx: ctx, w: w, wanted: wanted, curves: map[string][]curve{}}
	defer func() { err = errors.Join(err, b.close(), w.Close()) }()
	machine := report.ThisMachine()
	fmt.Println(machine)
	start := time.Now()
	if err := b.setUp(); err != nil {
		return err
	}
	fmt.Printf("set up in %.0f s\n", time.Since(start).Seconds())
	values, failed := b.run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	failed = errors.Join(failed, b.sessions(values))
	r := b.report(machine, list, values)
	r.Print(os.Stdout)
	fmt.Printf("\ntook %.0f s\n", time.Since(start).Seconds())
	return errors.Join(failed, compare(o, r), b.write(o, r, values))
}

// compare holds the figures against the page as it is committed, or as it lies
// there. A run that renders no page is too short to judge.
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
func (b *bench) write(o options, r *report.Report, values map[string][]float64) error {
	var errs []error
	if o.json != "" {
		errs = append(errs, r.WriteJSON(o.json))
	}
	if o.page != "" {
		errs = append(errs, b.draw(o.page, r, values), r.WritePage(o.page))
	}
	return errors.Join(errs...)
}
