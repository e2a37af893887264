package fast

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Errors that callers tell apart.
var (
	// ErrRefused: the kernel has no BPF for us (missing, or not permitted): run
	// the service lane alone.
	ErrRefused = errors.New("the kernel refuses BPF")
	// ErrOwned: another living process owns the lane on one of the devices.
	ErrOwned = errors.New("another router owns the lane")
	// ErrVersion: the lane on the devices has another layout. Its sessions go
	// on; Open with Beside lets them, Clear ends them.
	ErrVersion = errors.New("the lane found has another layout")
	// ErrConfig: the caller asks for what cannot be.
	ErrConfig = errors.New("lane configuration wrong")
)

// Config sizes a lane. When a lane is adopted, its own sizes stay.
type Config struct {
	Slots   int   // of the session table (pool.TableConfig.Slots)
	Hops    int   // next-hops; ids are below; default 4,097
	Netifs  int   // network-interfaces; ids are below; default 256
	Own     int   // own addresses; default 256
	VLANs   int   // tags on all devices; default 256
	Devices []int // where an earlier lane may be attached
	Fresh   bool  // adopt nothing
	Beside  bool  // adopt nothing either: what is on the devices goes on behind ours (Lane.Older)

	Tap     string // name of the TAP; default "waymark0"; "-": none, misses are dropped
	Cutter  string // name of the pair of devices of OpenCutter, the second with a "p" behind; default "waymark1"
	Workers int    // pairs of queues of the TAP; default 1
	Backlog int    // packets each queue holds; default 1,000
	Ring    int    // bytes of the larger of the rings beside the TAP, about; 0: none. With one worker only
}

func (c Config) defaults() Config {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&c.Hops, 4097)
	set(&c.Netifs, 256)
	set(&c.Own, 256)
	set(&c.VLANs, 256)
	set(&c.Workers, 1)
	set(&c.Backlog, 1000)
	if c.Tap == "" {
		c.Tap = "waymark0"
	}
	if c.Cutter == "" {
		c.Cutter = "waymark1"
	}
	return c
}

// refused wraps an error of the kernel that means: no BPF here.
func refused(err error) error {
	for _, e := range []error{unix.EPERM, unix.EACCES, unix.ENOSYS, ebpf.ErrNotSupported} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	return err
}
