package world

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// buildLimit bounds `go build` of the router on a cold cache.
const buildLimit = 5 * time.Minute

// built is the binary that this process made for tests, once.
var built struct {
	sync.Once
	path string
	err  error
}

// Waymark returns the path of the router's binary: Options.Waymark,
// $WAYMARK_BIN, or one built now from the tree around the working directory.
func (w *World) Waymark() (string, error) {
	if w.opts.Waymark != "" {
		return w.opts.Waymark, nil
	}
	if env := os.Getenv("WAYMARK_BIN"); env != "" {
		return env, nil
	}
	built.Do(func() { built.path, built.err = build() })
	return built.path, built.err
}

// build makes out/bin/waymark of the module that the working directory lies in.
func build() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildLimit)
	defer cancel()
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find module: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	path := filepath.Join(root, "out", "bin", "waymark")
	c := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-o", path, "./cmd/waymark")
	c.Dir = root
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build waymark: %w\n%s", err, out)
	}
	return path, nil
}
