// Command waymark is everything on the box; its first argument says which part.
//
// Exit codes: 0 done, 1 failed at run time, 2 bad usage or configuration.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// command is one part of the program.
type command struct {
	name string
	help string // one line
	run  func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

var commands = []command{
	{"init", "process 1 of a box", runInit},
	{"router", "run a router on this machine's interfaces", runRouter},
	{"agent", "answer to conductors and Salt masters", runAgent},
	{"check", "check a configuration, touching nothing", runCheck},
	{"show", "ask a running router", runShow},
	{"update", "write a bundle to the slot that does not run, and try it", runUpdate},
	{"install", "put the running system on another disk", runInstall},
	{"console", "the command line of the box, on this terminal", runConsole},
}

// errUsage: the command line is wrong and the user was told how.
var errUsage = errors.New("wrong usage")

// errConfig: the configuration is wrong and every finding was printed.
var errConfig = errors.New("wrong configuration")

func main() {
	boxPart(os.Args)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// outlive is for what serves: the end of who reads its log or messages is not its own.
// Go ends a process that writes to such a pipe, unless it has asked for the signal; to
// ignore it would be inherited by the shells that it starts.
func outlive() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// dispatch runs the command that args name and returns the exit code.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return 2
	}
	if h := args[0]; h == "help" || h == "-h" || h == "-help" || h == "--help" {
		usage(stdout)
		return 0
	}
	for _, c := range commands {
		if c.name == args[0] {
			return exitCode(c.run(ctx, args[1:], stdout, stderr), c.name, stderr)
		}
	}
	fmt.Fprintf(stderr, "waymark: unknown command %q\n", args[0])
	usage(stderr)
	return 2
}

func usage(w io.Writer) {
	var b strings.Builder
	b.WriteString("usage: waymark COMMAND [arguments]\n\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-8s %s\n", c.name, c.help)
	}
	b.WriteString("\nwaymark COMMAND -h lists its flags.\n")
	fmt.Fprint(w, b.String())
}

// exitCode reports an error, unless the user was told, and turns it into a code.
func exitCode(err error, name string, stderr io.Writer) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage), errors.Is(err, errConfig):
		return 2
	}
	fmt.Fprintf(stderr, "waymark %s: %v\n", name, err)
	if isUsage(err) {
		return 2
	}
	return 1
}
