package accept

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"waymark/cmd/lab/traffic"
)

// TestMain also runs what tests start in namespaces as processes of their own.
func TestMain(m *testing.M) {
	if err := raiseFiles(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if code, ok := traffic.Main(os.Args[1:]); ok {
		os.Exit(code)
	}
	if len(os.Args) > 1 && os.Args[1] == crowdCommand {
		fmt.Fprintln(os.Stderr, serveCrowd(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// raiseFiles lets this process and its children open as many files as allowed.
func raiseFiles() error {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("read limit of files: %w", err)
	}
	lim.Cur = lim.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("raise limit of files: %w", err)
	}
	return nil
}
