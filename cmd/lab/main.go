// Binary lab shows Secure Vector Routing at work on one machine: a branch, a
// hub, two ISPs, clients and servers in network namespaces, real programs over
// real routers. It prints each result as it comes, then what the routers say,
// removes everything and exits 1 if anything failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
)

const usage = `usage: lab [-v] [-keep] [-bare | -image DIR] [COMMAND]
  (none)     run the whole demonstration, then remove everything
  up         bring the network up and leave it running
  down       remove what up (or -keep) left
  leftovers  list what worlds of dead processes left here; exit 1 if any
`

// Exit codes: 0 done, 1 something failed, 2 wrong usage.
func main() {
	if code, ok := traffic.Main(os.Args[1:]); ok {
		os.Exit(code)
	}
	verbose := flag.Bool("v", false, "print every command")
	keep := flag.Bool("keep", false, "leave the network running at the end")
	bare := flag.Bool("bare", false, "no conductor: the routers are configured from the start")
	image := flag.String("image", "", "the branch is the factory image in `DIR`, in a machine")
	flag.Usage = func() { fmt.Fprint(os.Stderr, usage); flag.PrintDefaults() }
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l := &lab{out: os.Stdout, verbose: *verbose, keep: *keep, bare: *bare, image: *image}
	if err := l.command(ctx, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		stop()
		os.Exit(exitCode(err))
	}
}

// errUsage is a command line that means nothing.
var errUsage = errors.New("see lab -h")

func exitCode(err error) int {
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

// command runs what the arguments name.
func (l *lab) command(ctx context.Context, args []string) error {
	switch {
	case len(args) > 1:
		return fmt.Errorf("more than one command: %w", errUsage)
	case l.image != "" && (l.bare || l.keep || len(args) > 0): // a machine does not outlive us
		return fmt.Errorf("-image goes with no command, -bare or -keep: %w", errUsage)
	}
	switch append(args, "")[0] {
	case "":
		return l.demonstrate(ctx)
	case "up":
		return l.up(ctx)
	case "down":
		return l.down()
	case "leftovers":
		return l.leftovers()
	}
	return fmt.Errorf("unknown command %q: %w", args[0], errUsage)
}

// options of the lab's world; the router's binary lies beside the lab's.
func (l *lab) options() (world.Options, error) {
	o := world.Options{Keep: l.keep, NoLTE: true} // the lease comes by DHCP
	if l.keep {
		o.Name = world.LabName
	}
	if l.verbose {
		o.Log = func(format string, args ...any) { fmt.Fprintf(l.out, "    "+format+"\n", args...) }
	}
	self, err := os.Executable()
	if err != nil {
		return o, fmt.Errorf("find own program: %w", err)
	}
	o.Waymark = filepath.Join(filepath.Dir(self), "waymark")
	if env := os.Getenv("WAYMARK_BIN"); env != "" {
		o.Waymark = env
	}
	if _, err := os.Stat(o.Waymark); err != nil {
		return o, fmt.Errorf("find the router's binary: %w (make build makes it)", err)
	}
	return o, nil
}

// selfPath is this program's path, for people to type.
func selfPath() string {
	self, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return self
}
