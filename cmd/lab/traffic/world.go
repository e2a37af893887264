package traffic

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"waymark/cmd/lab/world"
)

// startLimit bounds the time until a server listens.
const startLimit = 30 * time.Second

// Serve starts this program's `_serve FLAGS` in a namespace and returns when it
// listens. The program has to call Main.
func Serve(w *world.World, ns string, flags ...string) (*world.Proc, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	p, err := w.Start(ns, append([]string{self, "_serve"}, flags...)...)
	if err != nil {
		return nil, err
	}
	if err := p.WaitOutput(Ready, startLimit); err != nil {
		_ = p.Stop() // the first error is the one to tell
		return nil, err
	}
	return p, nil
}

// Get fetches a page from within a namespace.
func Get(ctx context.Context, w *world.World, ns, url string) (p Page, err error) {
	return p, run(ctx, w, ns, &p, "_get", url)
}

// Put sends so many bytes from within a namespace to the sink at addr.
func Put(ctx context.Context, w *world.World, ns, addr string, bytes int64) (t Transfer, err error) {
	return t, run(ctx, w, ns, &t, "_put", addr, strconv.FormatInt(bytes, 10))
}

// PutPaced is Put at no more than so many Mbit/s.
func PutPaced(ctx context.Context, w *world.World, ns, addr string, bytes int64, mbit int) (t Transfer, err error) {
	return t, run(ctx, w, ns, &t, "_put", addr, strconv.FormatInt(bytes, 10), strconv.Itoa(mbit))
}

// Puts makes so many transfers at once, each of so many bytes at no more than
// mbit Mbit/s.
func Puts(ctx context.Context, w *world.World, ns, addr string, count int, bytes int64, mbit int) (t []Transfer, err error) {
	return t, run(ctx, w, ns, &t, "_puts", addr, strconv.Itoa(count), strconv.FormatInt(bytes, 10), strconv.Itoa(mbit))
}

// Ask sends so many UDP questions from within a namespace.
func Ask(ctx context.Context, w *world.World, ns, addr string, count int) (a Answers, err error) {
	return a, run(ctx, w, ns, &a, "_ask", addr, strconv.Itoa(count))
}

// run runs a subcommand of this program and decodes its result.
func run(ctx context.Context, w *world.World, ns string, result any, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	out, err := w.ExecContext(ctx, ns, append([]string{self}, args...)...)
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	if err := json.Unmarshal([]byte(out), result); err != nil {
		return fmt.Errorf("read result of %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
