package world

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// execLimit bounds commands that should answer at once.
const execLimit = time.Minute

// readyLimit bounds what is ready at once on a machine that is not busy.
const readyLimit = 30 * time.Second

// Exec runs a command in a namespace and returns its output, standard error
// included. It fails when the command does, or after a minute.
func (w *World) Exec(ns string, cmd ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), execLimit)
	defer cancel()
	return w.ExecContext(ctx, ns, cmd...)
}

// ExecContext is Exec with the caller's own limit.
func (w *World) ExecContext(ctx context.Context, ns string, cmd ...string) (string, error) {
	return w.run(ctx, "", w.inside(ns, cmd))
}

// inside is the command line that runs cmd in ns; `ip netns exec` replaces
// itself, so the process id is that of cmd.
func (w *World) inside(ns string, cmd []string) []string {
	return append([]string{"ip", "netns", "exec", w.NS(ns)}, cmd...)
}

func (w *World) run(ctx context.Context, stdin string, argv []string) (string, error) {
	w.logf("$ %s", strings.Join(argv, " "))
	var out bytes.Buffer
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Stdin = strings.NewReader(stdin)
	c.Stdout, c.Stderr = &out, &out
	c.WaitDelay = execLimit // a busy process comes late to read what was written
	err := c.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	text := strings.ReplaceAll(out.String(), strangeNetns, "")
	if err != nil {
		return text, fmt.Errorf("run %s: %w\n%s", strings.Join(argv, " "), err, text)
	}
	return text, nil
}

// strangeNetns is what ip says, and goes on, when a namespace of another world
// goes away while it looks for the one that a link leads to.
const strangeNetns = "Error: Peer netns reference is invalid.\n"

// runNow is run with the usual limit, its output only in the error.
func (w *World) runNow(stdin string, argv ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), execLimit)
	defer cancel()
	_, err := w.run(ctx, stdin, argv)
	return err
}

// ipBatch hands lines of ip arguments to one ip process; ns "" is our own namespace.
func (w *World) ipBatch(ns, lines string) error {
	if lines == "" {
		return nil
	}
	argv := []string{"ip"}
	if ns != "" {
		argv = append(argv, "-n", w.NS(ns))
	}
	if err := w.runNow(lines, append(argv, "-batch", "-")...); err != nil {
		return fmt.Errorf("ip in %q: %w\ninput:\n%s", ns, err, lines)
	}
	return nil
}

// nft loads a rule set into a namespace.
func (w *World) nft(ns, rules string) error {
	return w.runNow(rules, w.inside(ns, []string{"nft", "-f", "-"})...)
}

// SetSysctls writes settings, each as PATH=VALUE below /proc/sys, in a namespace.
func (w *World) SetSysctls(ns string, settings ...string) error {
	var script strings.Builder
	script.WriteString("set -e\n")
	for _, s := range settings {
		path, value, _ := strings.Cut(s, "=")
		fmt.Fprintf(&script, "echo %s > /proc/sys/%s\n", value, path)
	}
	return w.runNow(script.String(), w.inside(ns, []string{"sh"})...)
}
