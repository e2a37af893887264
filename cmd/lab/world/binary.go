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

// built are the binaries that this process made for tests, each once.
var built struct {
	sync.Mutex
	paths map[string]string
}

// Waymark returns the path of the router's binary: Options.Waymark,
// $WAYMARK_BIN, or one built now from the tree around the working directory.
func (w *World) Waymark() (string, error) { return w.Program("waymark") }

// Program returns the path of a program of ours, by its name in cmd: the one that
// lies beside the router's binary, or one built now.
func (w *World) Program(name string) (string, error) {
	router := w.opts.Waymark
	if router == "" {
		router = os.Getenv("WAYMARK_BIN")
	}
	switch {
	case router != "" && name == "waymark":
		return router, nil
	case router != "":
		return filepath.Join(filepath.Dir(router), name), nil
	}
	built.Lock()
	defer built.Unlock()
	if path, ok := built.paths[name]; ok {
		return path, nil
	}
	path, err := build(name)
	if err != nil {
		return "", err
	}
	if built.paths == nil {
		built.paths = map[string]string{}
	}
	built.paths[name] = path
	return path, nil
}

// build makes out/bin/NAME of the module that the working directory lies in.
func build(name string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildLimit)
	defer cancel()
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find module: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	path := filepath.Join(root, "out", "bin", name)
	c := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-o", path, "./cmd/"+name)
	c.Dir = root
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, nil
}
