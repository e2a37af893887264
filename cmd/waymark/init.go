package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"waymark/image/pid1"
)

// errNotFirst: init is process 1 or nothing.
var errNotFirst = errors.New("init is started by the kernel, as process 1")

func runInit(context.Context, []string, io.Writer, io.Writer) error { return errNotFirst }

// boxPart is what the kernel of a box starts under another name: init, and the
// helper that loads modules. It returns when this is neither.
func boxPart(args []string) {
	switch filepath.Base(args[0]) {
	case "init":
		if os.Getpid() == 1 {
			pid1.Main()
		}
	case "modprobe":
		if err := pid1.Modprobe(args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "modprobe:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}
