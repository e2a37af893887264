package boxtest

import (
	"fmt"
	"os"
	"testing"

	"waymark/cmd/lab/traffic"
)

// TestMain is also the client and server programs that run inside namespaces.
func TestMain(m *testing.M) {
	if code, ok := traffic.Main(os.Args[1:]); ok {
		os.Exit(code)
	}
	dir, err := os.MkdirTemp("", "waymark-boxes-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared.dir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
