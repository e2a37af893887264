package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"waymark/image/build"
	"waymark/image/disk"
	"waymark/image/pid1"
	"waymark/image/slot"
	"waymark/mgmt/agent"
	"waymark/svr/router/ctl"
)

// errNoBox: slots exist only on a box.
var errNoBox = errors.New("this is no box that was started from a slot")

// box finds the slots of this box and where their state is kept.
func box(stderr io.Writer) (*slot.Box, disk.Found, error) {
	info, err := build.Read(build.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, disk.Found{}, errNoBox
	} else if err != nil {
		return nil, disk.Found{}, err
	}
	b, found, err := disk.FindBox(&info, logger(stderr, false))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, found, errNoBox
	} else if err != nil {
		return nil, found, err
	}
	b.Store = slot.Dir(pid1.UpdateDir())
	return b, found, nil
}

// wanted is what the update must not take away: WANs that have an address now, and
// a conductor that is connected. Without a router there are no WANs.
func wanted(run string) (w slot.Wanted, err error) {
	w.Conductor = agent.Reached(run)
	_, err = ctl.Ask(run, ctl.Request{Show: "progress"}, func(row json.RawMessage) error {
		var p pid1.Progress
		if err := json.Unmarshal(row, &p); err != nil {
			return err
		}
		w.WANs = append(w.WANs, p.WAN...)
		return nil
	})
	if errors.Is(err, ctl.ErrNoRouter) {
		err = nil
	}
	return w, err
}

func runUpdate(_ context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("update", "update FILE|-", stderr)
	run := f.String("run", defaultRun, "run `DIR`ectory of the router")
	stay := f.Bool("no-reboot", false, "leave the reboot to somebody else")
	words, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return complain(f, "update from which file?")
	}
	in, err := input(words[0])
	if err != nil {
		return err
	}
	defer in.Close()
	b, _, err := box(stderr)
	if err != nil {
		return err
	}
	w, err := wanted(*run)
	if err != nil {
		return fmt.Errorf("ask which WANs have addresses: %w", err)
	}
	m, err := b.Update(in, w)
	if err != nil {
		return fmt.Errorf("refused: %w", err)
	}
	fmt.Fprintf(stdout, "%s is written, the next start is its trial (%d s)\n", m.Version, m.TrialSeconds)
	if *stay {
		return nil
	}
	return syscall.Kill(1, syscall.SIGTERM) // asks init for an orderly reboot
}

// input opens a file, "-" is standard input.
func input(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func runInstall(_ context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("install", "install [-force] DISK", stderr)
	force := f.Bool("force", false, "also on a disk that has partitions or a file system; they are lost")
	words, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return complain(f, "install on which disk?")
	}
	b, found, err := box(stderr)
	if err != nil {
		return err
	}
	err = disk.Install(b, disk.Installation{
		Target: words[0], Own: found.Disk, Force: *force, Config: filepath.Join(pid1.DataDir, "config"),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "installed on %s; take the medium out that this system was started from\n", words[0])
	return nil
}
