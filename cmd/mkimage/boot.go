package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"waymark/board"
	"waymark/image/pack"
	"waymark/image/vm"
)

// escape is Ctrl-], which ends the machine as it ends telnet.
const escape = 0x1d

// runBoot boots an image with the console in the terminal.
func runBoot(ctx context.Context, args []string) error {
	f, name, root := newFlags("mkimage boot")
	dir := f.String("out", "", "`DIR` of the image (out/BOARD)")
	appended := f.String("append", "", "more kernel `ARGUMENTS`")
	memory := f.Int("memory", 256, "`MB` of memory")
	ports := f.Int("ports", 3, "`N` network cards, all in QEMU's own network")
	var disks list
	f.Var(&disks, "disk", "raw disk `IMAGE`, may be given again")
	if err := parse(f, args); err != nil {
		return err
	}
	b, err := board.Find(*name)
	switch {
	case err != nil:
		return wrong("%v", err)
	case b.Emulated == "":
		return wrong("board %s is no machine of QEMU", b.Name)
	case *memory < 32 || *ports < 0 || *ports > 16:
		return wrong("%d MB of memory and %d ports: want 32 MB and more, 0 to 16 ports", *memory, *ports)
	}
	if *dir == "" {
		*dir = filepath.Join(*root, "out", b.Name)
	}
	c := vm.Config{Arch: b.Emulated, Kernel: filepath.Join(*dir, pack.KernelFile), Initrd: filepath.Join(*dir, pack.InitramfsFile),
		Cmdline: *appended, MemoryMB: *memory, Disks: disks, Watchdog: true}
	for range *ports {
		c.NICs = append(c.NICs, vm.NIC{Netdev: "user"})
	}
	return attach(ctx, c)
}

type list []string

func (l *list) String() string     { return "" }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

// attach runs a machine whose console is this terminal.
func attach(ctx context.Context, c vm.Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m, err := vm.Start(ctx, c)
	if err != nil {
		return err
	}
	defer m.Close()
	fmt.Print("Ctrl-] ends the machine\r\n")
	back := raw()
	defer back()
	m.Console.CopyTo(os.Stdout)
	go typed(m.Console, cancel)
	<-m.Done()
	if ctx.Err() != nil {
		return nil // somebody ended it
	}
	return m.Ended()
}

// typed passes on what is typed, until the escape.
func typed(console io.Writer, cancel func()) {
	b := make([]byte, 256)
	for {
		n, err := os.Stdin.Read(b)
		if err != nil {
			return // no terminal: the machine runs on
		}
		for _, c := range b[:n] {
			if c == escape {
				cancel()
				return
			}
		}
		if _, err := console.Write(b[:n]); err != nil {
			return
		}
	}
}

// raw passes keys through a terminal as they are, until back is called.
func raw() (back func()) {
	fd := int(os.Stdin.Fd())
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return func() {} // no terminal
	}
	t := *was
	t.Iflag &^= unix.ICRNL | unix.IXON | unix.INLCR
	t.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG | unix.IEXTEN
	if unix.IoctlSetTermios(fd, unix.TCSETS, &t) != nil {
		return func() {}
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, was) }
}
