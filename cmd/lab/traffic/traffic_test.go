package traffic_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
)

func TestMain(m *testing.M) {
	if code, ok := traffic.Main(os.Args[1:]); ok {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// kernelWorld is a world whose routers are the kernel's.
func kernelWorld(t *testing.T) (context.Context, *world.World) {
	t.Helper()
	w, err := world.New(world.Options{Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.KernelRouters(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx, w
}

func TestTrafficOverKernelRouters(t *testing.T) {
	ctx, w := kernelWorld(t)
	_, err := traffic.Serve(w, world.Server, "-web", "10.20.0.5:80,[fd00:20::5]:80",
		"-sink", "10.20.0.5:5001", "-udp", "10.20.0.5:53", "-mark", "the page")
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"http://10.20.0.5/", "http://[fd00:20::5]/"} {
		page, err := traffic.Get(ctx, w, world.Client, url)
		if err != nil || page.Status != 200 || !strings.HasPrefix(page.Body, "the page\nfrom ") {
			t.Errorf("%s: got %+v, %v", url, page, err)
		}
	}
	const size = 10<<20 + 7
	sent, err := traffic.Put(ctx, w, world.Client, "10.20.0.5:5001", size)
	if err != nil || sent.Bytes != size || sent.Sent != sent.Arrived || len(sent.Sent) != 64 {
		t.Errorf("put: got %+v, %v", sent, err)
	}
	a, err := traffic.Ask(ctx, w, world.Client, "10.20.0.5:53", 20)
	if err != nil || a.Answered != 20 {
		t.Errorf("ask: got %+v, %v", a, err)
	}
}

func TestNobodyThere(t *testing.T) {
	ctx, w := kernelWorld(t)
	if page, err := traffic.Get(ctx, w, world.Client, "http://10.20.0.5/"); err == nil {
		t.Errorf("get from a closed port: got %+v, want an error", page)
	}
	if _, err := traffic.Serve(w, world.Server, "-web", "10.99.0.1:80"); err == nil {
		t.Error("serve on a foreign address: no error")
	}
}

func TestMainLeavesOthersAlone(t *testing.T) {
	for _, args := range [][]string{nil, {"up"}, {"-test.v"}} {
		if _, ok := traffic.Main(args); ok {
			t.Errorf("%q taken for a subcommand", args)
		}
	}
}
