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
	c.WaitDelay = time.Second
	err := c.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return out.String(), fmt.Errorf("run %s: %w\n%s", strings.Join(argv, " "), err, out.String())
	}
	return out.String(), nil
}

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
