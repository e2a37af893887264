package router

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"waymark/mgmt/config"
	"waymark/svr/lane"
	"waymark/svr/policy"
)

// Settings is what `waymark router` was told.
type Settings struct {
	ConfigFile string
	Router     string
	Node       string // empty: the only one
	RunDir     string
	StateDir   string // what outlives a reboot; empty: RunDir
	Lanes      string // LanesAuto, LanesGo, LanesBPF, for tests and measurements LanesXDP, LanesTC
	Profile    string // empty: by the memory of the machine
	Workers    int    // goroutines that seal and transmit for the service lane; 0: it does that itself
	Keep       bool   // leave addresses, routes, guard and the fast lane on an orderly stop
	// Drain is how long sessions that an earlier router left in another layout may go
	// on in the kernel; 0: they begin anew.
	Drain    time.Duration
	SetClock bool // set the machine's clock by NTP; else time servers are only watched
	Log      *slog.Logger

	// Source reads the configuration again for a reload; nil: none can be asked for.
	Source func() (*policy.Tables, config.Findings, error)
	// Unconfirmed returns the version that comes back unless the last commit is
	// confirmed; nil: there is no such thing.
	Unconfirmed func() (version int, waits bool)
	// Changed tells that the configuration changed; it is taken as by a reload.
	Changed <-chan struct{}
}

// DefaultDrain is a Settings.Drain that suits most: longer than the idle timers that
// the configuration ships with.
const DefaultDrain = time.Hour

// mostDrain bounds it: until then two tables are in memory, and nobody moves the sessions
// of the older one.
const mostDrain = 7 * 24 * time.Hour

// Values of Settings.Lanes.
const (
	LanesAuto = "auto"
	LanesGo   = "go"
	LanesBPF  = "bpf"
	LanesXDP  = "bpf,xdp" // XDP wherever a device takes it, veth included
	LanesTC   = "bpf,tc"  // XDP nowhere
)

// ErrSettings: what was asked for is wrong or not built; nothing was touched.
var ErrSettings = errors.New("wrong settings")

// tinyMemory is the memory below which a machine gets profile tiny, in bytes.
const tinyMemory = 80 << 20

// Load reads and checks a configuration and compiles it for one node. The
// tables are nil when the findings Failed.
func Load(file, router, node string) (*policy.Tables, config.Findings, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	auth, findings := config.Parse(data)
	if auth != nil {
		findings = append(findings, auth.Check(router, node)...)
	}
	if findings.Failed() {
		return nil, findings, nil
	}
	tables, err := policy.Build(auth, router, node)
	if err != nil {
		return nil, findings, fmt.Errorf("compile configuration: %w", err)
	}
	return tables, findings, nil
}

// DefaultWorkers is how many workers suit this machine: they are for cores that
// would do nothing, besides the lane's own and one for the kernel.
func DefaultWorkers() int { return min(max(runtime.GOMAXPROCS(0)-2, 0), 4) }

func (s *Settings) stateDir() string { return cmp.Or(s.StateDir, s.RunDir) }

// profile resolves lanes and profile.
func (s *Settings) profile() (Profile, error) {
	switch s.Lanes {
	case LanesAuto, LanesGo, LanesBPF, LanesXDP, LanesTC:
	case "":
		s.Lanes = LanesAuto
	default:
		return Profile{}, fmt.Errorf("%w: lanes %q: allowed are auto, go, bpf, bpf,xdp and bpf,tc", ErrSettings, s.Lanes)
	}
	if s.Workers < 0 || s.Workers > lane.MaxWorkers {
		return Profile{}, fmt.Errorf("%w: %d workers: allowed are 0 to %d", ErrSettings, s.Workers, lane.MaxWorkers)
	}
	if s.Drain < 0 || s.Drain > mostDrain {
		return Profile{}, fmt.Errorf("%w: drain for %v: allowed are 0 to %v", ErrSettings, s.Drain, mostDrain)
	}
	name := s.Profile
	if name == "" {
		name = "cpe"
		if m := machineMemory(); m > 0 && m < tinyMemory {
			name = "tiny"
		}
	}
	p, err := FindProfile(name)
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	return p, nil
}

// machineMemory returns the memory of the machine in bytes, 0 when unknown.
func machineMemory() uint64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(text), "MemTotal:")
	f := strings.Fields(rest)
	if !ok || len(f) == 0 {
		return 0
	}
	kb, _ := strconv.ParseUint(f[0], 10, 64) // 0 when it is no number
	return kb << 10
}
