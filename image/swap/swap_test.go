package swap_test

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"waymark/image/swap"
)

// Only boxes of little memory swap, and never more than they have.
func TestPlan(t *testing.T) {
	for total, want := range map[uint64]swap.Sizes{
		0:         {},
		128 << 20: {},
		4 << 30:   {},
		42 << 20:  {Disk: 29360128, Limit: 14680064},
		75 << 20:  {Disk: 52428800, Limit: 26214400},
	} {
		if got := swap.Plan(total); got != want {
			t.Errorf("%d bytes: %+v, want %+v", total, got, want)
		}
	}
}

// The header is what the tools of util-linux know as swap, and as long as the disk.
func TestHeader(t *testing.T) {
	const size = 1 << 20
	name := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(name, append(swap.Header(size), make([]byte, size-4096)...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("blkid", "-p", "-o", "value", "-s", "TYPE", name).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "swap" {
		t.Errorf("blkid: %q, %v", out, err)
	}
	if last := binary.NativeEndian.Uint32(swap.Header(size)[1028:]); last != size/4096-1 {
		t.Errorf("last page %d", last)
	}
}
