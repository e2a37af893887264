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
	"path/filepath"
	"syscall"

	"golang.org/x/term"

	"waymark/mgmt/console"
	"waymark/mgmt/console/cli"
	"waymark/mgmt/console/login"
	"waymark/mgmt/console/serial"
	"waymark/mgmt/token"
)

func runConsole(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("console", "console [-run DIR] [-config FILE] [-level operator|admin] [-serial DEVICE -identity DIR] [COMMAND…]\n"+
		"  Without a COMMAND: a session on this terminal, or the lines of a file or pipe on standard input.\n"+
		"  With -serial: sessions on a serial port for whoever knows the login secret.", stderr)
	o := console.Options{Log: slog.New(slog.DiscardHandler)} // the user sees what the log would say
	f.StringVar(&o.Run, "run", defaultRun, "run `DIR`ectory of the box's processes")
	f.StringVar(&o.Config, "config", "", "running configuration, a `FILE` that the router was started with")
	device := f.String("serial", "", "serial `DEVICE` to serve, with a login")
	identity := f.String("identity", "", "`DIR`ectory of the login secret, which is made and shown on that port at the first start")
	level := f.String("level", "admin", "what may be done: operator or admin")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return errUsage
	}
	switch *level {
	case "operator":
	case "admin":
		o.Level = cli.Admin
	default:
		return complain(f, fmt.Sprintf("level %q: operator or admin", *level))
	}
	if (*device == "") != (*identity == "") || *device != "" && f.NArg() > 0 {
		return complain(f, "-serial and -identity go together, without a COMMAND")
	}
	switch {
	case *device != "":
		return onSerial(ctx, o, *device, *identity)
	case f.NArg() > 0:
		return console.Execute(ctx, stdout, token.Join(f.Args()), o)
	case !term.IsTerminal(int(os.Stdin.Fd())):
		return console.Script(ctx, os.Stdin, stdout, o)
	}
	return onTerminal(ctx, o)
}

// onSerial serves a serial port until it hangs up or takes nothing any more;
// whoever started us starts us again.
func onSerial(ctx context.Context, o console.Options, device, identity string) (err error) {
	if o.Gate, err = login.Open(identity); err != nil {
		return err
	}
	port, err := serial.Open(device, serial.Config{})
	if err != nil {
		return err
	}
	o.Port, o.ShowSecret, o.Log = filepath.Base(device), true, slog.Default()
	return console.Serve(ctx, port, o)
}

// onTerminal is a session on the terminal that the program was started on.
func onTerminal(ctx context.Context, o console.Options) error {
	fd := int(os.Stdin.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return fmt.Errorf("prepare terminal: %w", err)
	}
	o.Port, o.Idle = "terminal", -1
	if o.Width, o.Height, err = term.GetSize(fd); err != nil {
		o.Width, o.Height = 0, 0 // as a serial port
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o.Resized = resizes(ctx, fd)
	err = console.Serve(ctx, terminal{}, o)
	return errors.Join(err, term.Restore(fd, before))
}

// resizes tells the sizes of the terminal as they change.
func resizes(ctx context.Context, fd int) <-chan console.Size {
	signals, sizes := make(chan os.Signal, 1), make(chan console.Size)
	signal.Notify(signals, syscall.SIGWINCH)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-signals:
			case <-ctx.Done():
				return
			}
			w, h, err := term.GetSize(fd)
			if err != nil {
				continue
			}
			select {
			case sizes <- console.Size{Width: w, Height: h}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return sizes
}

// terminal is standard input and output as one stream. It stays open.
type terminal struct{}

func (terminal) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (terminal) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (terminal) Close() error                { return nil }
