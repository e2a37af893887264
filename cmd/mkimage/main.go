// Command mkimage makes images of boards and boots them in QEMU.
//
// Exit codes: 0 done, 1 failed, 2 bad usage or configuration.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"waymark/board"
	"waymark/image/pack"
	"waymark/mgmt/config"
)

const usage = `usage: mkimage [-board B] [flags]       make out/B: vmlinuz, initramfs.zst, slot.efi, disk.img, bundle.wmb, sizes.json
       mkimage boot [-board B] [flags]  boot what out/B has in QEMU, console here
       mkimage kernel [-board B] [flags]  the same as mkimage, with our own kernel, compiled and tested unless it lies there
`

// errUsage: the command line is wrong and the user was told how.
var errUsage = errors.New("wrong usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "mkimage:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "boot" {
		return runBoot(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == "kernel" {
		return runMake(ctx, args[1:], ownKernel)
	}
	return runMake(ctx, args, anyKernel)
}

func newFlags(name string) (f *flag.FlagSet, boardName, root *string) {
	f = flag.NewFlagSet(name, flag.ContinueOnError)
	f.Usage = func() { fmt.Fprint(os.Stderr, usage); f.PrintDefaults() }
	return f, f.String("board", "qemu-x86_64", "`BOARD` to make it for"), f.String("root", ".", "`DIR` of the source tree")
}

func parse(f *flag.FlagSet, args []string) error {
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return errUsage
	case f.NArg() > 0:
		err = wrong("unknown argument %q", f.Arg(0))
		f.Usage()
		return err
	}
	return nil
}

// wrong tells what is wrong with the command line.
func wrong(format string, args ...any) error {
	fmt.Fprintf(os.Stderr, "mkimage: "+format+"\n", args...)
	return errUsage
}

// checkConfig refuses what the box could not run, while somebody looks.
func checkConfig(file, router string) error {
	if (file == "") != (router == "") {
		return wrong("-config and -router go together")
	}
	if file == "" {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return wrong("read configuration: %v", err)
	}
	auth, findings := config.Parse(data)
	name, node, _ := strings.Cut(router, " ") // as in config/router of a box
	if auth != nil {
		findings = append(findings, auth.Check(name, node)...)
	}
	if findings.Failed() {
		fmt.Fprint(os.Stderr, findings)
		return wrong("%s is no configuration of router %s", file, router)
	}
	return nil
}

// kernel says whose kernel an image gets when no flag does.
type kernel struct {
	script string // prints the folder for an architecture
	budget int64  // most bytes of kernel and initramfs together; 0: any
}

var (
	anyKernel = kernel{script: "scripts/kernel.sh"}
	ownKernel = kernel{script: "scripts/kernel-own.sh", budget: 10_000_000}
)

func runMake(ctx context.Context, args []string, k kernel) error {
	f, name, root := newFlags("mkimage")
	o := &pack.Options{Log: func(step string) { fmt.Println("  ", step) }}
	f.StringVar(&o.Config, "config", "", "configuration `FILE` to build in")
	f.StringVar(&o.Router, "router", "", "`NAME` of the router in it")
	f.StringVar(&o.Version, "version", "", "`VERSION` (git describe)")
	f.StringVar(&o.Kernel, "kernel", "", "`DIR` with vmlinuz, release, lib/modules (the distribution's)")
	f.StringVar(&o.Out, "out", "", "`DIR` to leave it in (out/BOARD)")
	f.Uint64Var(&o.Counter, "counter", 0, "`N`: updates never go below it")
	var s shipFlags
	s.add(f)
	if err := parse(f, args); err != nil {
		return err
	}
	var err error
	if o.Board, err = board.Find(*name); err != nil {
		return wrong("%v", err)
	}
	if err := errors.Join(s.check(), checkConfig(o.Config, o.Router)); err != nil {
		return err
	}
	if err := fill(ctx, o, *root, k); err != nil {
		return err
	}
	if err := s.apply(o); err != nil {
		return err
	}
	fmt.Printf("image of %s, version %s\n", o.Board.Name, o.Version)
	sizes, err := pack.Build(ctx, o)
	if err != nil {
		return err
	}
	for _, n := range []string{"waymark", "modules", pack.InitramfsFile, pack.KernelFile, "total"} {
		fmt.Printf("  %-14s %9d bytes\n", n, sizes[n])
	}
	fmt.Println("in", o.Out)
	if total := sizes["total"]; k.budget > 0 && total > k.budget {
		return fmt.Errorf("kernel and initramfs have %d bytes, at most %d", total, k.budget)
	}
	return nil
}

// fill replaces what was not said by what the tree says.
func fill(ctx context.Context, o *pack.Options, root string, k kernel) (err error) {
	if o.Root, err = filepath.Abs(root); err != nil {
		return err
	}
	if o.Out == "" {
		o.Out = filepath.Join(o.Root, "out", o.Board.Name)
	}
	if o.Out, err = filepath.Abs(o.Out); err != nil { // tools run elsewhere
		return err
	}
	o.Tools = filepath.Join(o.Root, "out", "tools")
	if o.Version == "" {
		if o.Version, err = output(ctx, o.Root, "git", "describe", "--always", "--dirty"); err != nil {
			return err
		}
	}
	if o.Kernel == "" {
		if o.Kernel, err = output(ctx, o.Root, k.script, o.Board.Arch); err != nil {
			return err
		}
	}
	if o.Kernel, err = filepath.Abs(o.Kernel); err != nil {
		return err
	}
	o.Built, err = builtAt(ctx, o.Root)
	return err
}

// builtAt is the time of the sources: SOURCE_DATE_EPOCH, else that of the commit.
func builtAt(ctx context.Context, root string) (time.Time, error) {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		var err error
		if epoch, err = output(ctx, root, "git", "log", "-1", "--format=%ct"); err != nil {
			return time.Time{}, err
		}
	}
	s, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read time of the sources: %w", err)
	}
	return time.Unix(s, 0), nil
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("run %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}
