package enrol

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"waymark/board"
	"waymark/cmd/lab/machine"
	"waymark/image/ext4"
	"waymark/image/vm"
)

// Image is a branch that is an image in a machine.
type Image struct {
	Board string
	Dir   string // of the image, which has no configuration
	// Start starts the machine; it ends when whoever started it says so.
	Start func(vm.Config) (*vm.Machine, error)
}

// dataSize is that of the box's data partition.
const dataSize = 16 << 20

// PowerOn switches a box on that comes from the factory.
func (s *Scene) PowerOn(i Image) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		b, err := board.Find(i.Board)
		if err != nil {
			return "", err
		}
		disk, err := s.emptyDisk()
		if err != nil {
			return "", err
		}
		c, err := machine.Config(s.World, b, i.Dir, vm.Config{Cmdline: "waymark.asset-id=" + BranchAsset, Disks: []string{disk}})
		if err != nil {
			return "", err
		}
		m, err := i.Start(c)
		if err != nil {
			return "", err
		}
		box := machine.New(m, b)
		s.Branch = box
		if _, err := box.Report.Await(ctx, "boot"); err != nil {
			return "", err
		}
		e, err := box.Report.Await(ctx, "wan-up")
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("board %s, no configuration, asset id %s: an address on a WAN port %.1f s after its kernel started", b.Name, BranchAsset, e.T), nil
	}
}

// emptyDisk is a data partition with nothing on it.
func (s *Scene) emptyDisk() (string, error) {
	name := filepath.Join(s.World.Dir, "data.img")
	f, err := os.Create(name)
	if err != nil {
		return "", fmt.Errorf("make data partition: %w", err)
	}
	defer f.Close()
	if err := f.Truncate(dataSize); err != nil {
		return "", fmt.Errorf("make data partition: %w", err)
	}
	if err := ext4.Format(f, dataSize, ext4.Config{Label: board.DataLabel}); err != nil {
		return "", fmt.Errorf("make data partition: %w", err)
	}
	return name, f.Close()
}
