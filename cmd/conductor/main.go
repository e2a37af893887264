// Command conductor is the management server, and the command line of one that
// runs.
//
// Exit codes: 0 done, 1 failed at run time, 2 bad usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"waymark/mgmt/conductor"
	"waymark/mgmt/conductor/command"
)

const usage = `usage: conductor -data DIR [-config FILE] [-listen ADDR] [-etcd URL,…] [-http ADDR]   serve boxes
       conductor -data DIR COMMAND… [-json]                                       ask the one that serves DIR

commands:
%s
flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin *os.File, stdout, stderr io.Writer) int {
	var s conductor.Settings
	var etcd string
	f := flag.NewFlagSet("conductor", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintf(stderr, usage, command.Usage())
		f.PrintDefaults()
	}
	f.StringVar(&s.Dir, "data", "", "`DIR`ectory of this conductor: store, admin.token, host-key.pub")
	f.StringVar(&s.Config, "config", "", "`FILE` that is committed at the first start")
	f.StringVar(&s.Listen, "listen", ":930", "`ADDR`ess for boxes")
	f.StringVar(&s.Salt, "salt", ":4506", "`ADDR`ess for minions' requests; publications are one port below; empty: none")
	f.StringVar(&s.HTTP, "http", "127.0.0.1:8080", "`ADDR`ess of the HTTP API; empty: none")
	f.StringVar(&etcd, "etcd", "", "`URL,…` of an etcd cluster (a member in this process)")
	f.StringVar(&s.EtcdTLS.Cert, "etcd-cert", "", "`FILE` with this conductor's certificate towards the cluster, PEM; with -etcd-key")
	f.StringVar(&s.EtcdTLS.Key, "etcd-key", "", "`FILE` with its key, PEM")
	f.StringVar(&s.EtcdTLS.CA, "etcd-ca", "", "`FILE` with the authorities whose certificates members must have, PEM (the system's)")
	f.StringVar(&s.Name, "name", "", "`NAME` of this conductor, unique in a cluster (the machine's)")
	f.IntVar(&s.MaxEvents, "events", 1000, "events that are kept of each box, about")
	asJSON := f.Bool("json", false, "print JSON")
	words := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "-json" || a == "--json" })
	switch err := f.Parse(words); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	*asJSON = *asJSON || len(words) < len(args)
	if s.Dir == "" {
		return complain(stderr, "-data DIR is needed")
	}
	s.Log = slog.New(slog.NewTextHandler(stderr, nil))
	if f.NArg() > 0 {
		return end(command.Run(ctx, s.Dir, f.Args(), *asJSON, stdin, stdout), stderr)
	}
	// The end of who reads the log is not ours: Go ends a process that writes to such a
	// pipe, unless it has asked for the signal.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	for u := range strings.SplitSeq(etcd, ",") {
		if u != "" {
			s.Etcd = append(s.Etcd, u)
		}
	}
	return end(conductor.Run(ctx, s), stderr)
}

func complain(stderr io.Writer, what string) int {
	fmt.Fprintf(stderr, "conductor: %s; -h tells more\n", what)
	return 2
}

func end(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "conductor: %v\n", err)
	if errors.Is(err, command.ErrUsage) || errors.Is(err, conductor.ErrSettings) {
		return 2
	}
	return 1
}
