// Package agent is the box's side of management: it proves who the box is, finds
// its conductors, reports to them and does what they say (docs/uplink.md). It is
// a Salt minion too, at each of them and at stock masters (docs/salt.md).
package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/minion"
	"waymark/mgmt/salt/module"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/uplink/client"
)

// ErrSettings: the settings cannot be obeyed.
var ErrSettings = errors.New("wrong settings")

// Bounds of settings.
const (
	maxMasters   = 4 // two conductors, two stock masters
	minKeepalive = 5 * time.Second
	maxKeepalive = time.Hour
)

// Settings of an agent.
type Settings struct {
	RunDir   string // where the router's socket is
	StateDir string // what outlives a reboot: identity, fetched files
	AssetID  string // "" asks the machine
	// Conductors are HOST or HOST:PORT of one or two; none: the box finds them.
	Conductors []string
	Masters    []string // stock Salt masters
	// NoSalt leaves out the minions at conductors.
	NoSalt bool
	// ConfigFile is the running configuration and RouterFile says which router
	// of it the box is. Without them conductors cannot configure.
	ConfigFile, RouterFile string
	Uplink                 client.Timing
	// Finger is what the key of every master must have as SHA-256 fingerprint at
	// first contact; "" pins whatever comes first.
	Finger  string
	AllowV2 bool // masters without session keys
	SHA224  bool // FIPS masters
	// Keepalive is the longest silence towards conductors, and the idle time
	// before TCP probes of stock masters; 0 is by the live way out (keepalive.go).
	Keepalive time.Duration
	Root      string // "" is /: where /proc and /sys are, for tests
	Log       *slog.Logger
	Config    module.Configuration // nil: the box has no configuration store
	Timing    minion.Timing

	minionAt func(ctx context.Context, host string, dial dialFunc) // nil: no minions at conductors
}

// dialFunc connects to an address.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Check says what is wrong with settings before anything is touched.
func (s *Settings) Check() error {
	switch {
	case s.RunDir == "" || s.StateDir == "":
		return fmt.Errorf("%w: run and state directory are needed", ErrSettings)
	case len(s.Conductors) > maxConductors:
		return fmt.Errorf("%w: %d conductors, at most %d", ErrSettings, len(s.Conductors), maxConductors)
	case len(s.Masters) > maxMasters:
		return fmt.Errorf("%w: %d masters, at most %d", ErrSettings, len(s.Masters), maxMasters)
	case s.AssetID != "" && !salt.ValidID(s.AssetID):
		return fmt.Errorf("%w: asset id %q", ErrSettings, s.AssetID)
	case s.Keepalive != 0 && (s.Keepalive < minKeepalive || s.Keepalive > maxKeepalive):
		return fmt.Errorf("%w: keepalive %v is not within %v and %v", ErrSettings, s.Keepalive, minKeepalive, maxKeepalive)
	}
	for _, c := range s.Conductors {
		if !validHost(c) {
			return fmt.Errorf("%w: conductor %q", ErrSettings, c)
		}
	}
	for _, m := range s.Masters {
		if _, _, err := hostPort(m); err != nil {
			return err
		}
	}
	return nil
}

// hostPort splits HOST or HOST:PORT; the port of requests is 4506.
func hostPort(master string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(master)
	if err != nil {
		host, text = master, "4506"
	}
	port, err = strconv.Atoi(text)
	if host == "" || err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("%w: master %q", ErrSettings, master)
	}
	return host, port, nil
}

// Run lives until ctx ends.
func Run(ctx context.Context, s Settings) error {
	if err := s.Check(); err != nil {
		return err
	}
	if s.Root == "" {
		s.Root = "/"
	}
	if err := os.MkdirAll(s.RunDir, 0o755); err != nil {
		return fmt.Errorf("make run directory: %w", err)
	}
	id, err := assetID(os.DirFS(s.Root), s.AssetID)
	if err != nil {
		return err
	}
	key, err := ownKey(filepath.Join(s.StateDir, "identity"), s.Log)
	if err != nil {
		return err
	}
	saltKey := crypt.Fingerprint(key.Public.PEM(), "sha256")
	s.Log.Info("agent", "asset-id", id, "salt-key", saltKey)
	if _, err := s.readOnboarding(); err != nil {
		s.Log.Warn("agent: the onboarding file is not used", "err", err)
	}
	if !s.NoSalt {
		s.minionAt = func(ctx context.Context, host string, dial dialFunc) { s.conductorMinion(ctx, id, key, host, dial) }
	}
	ups, err := openUplinks(&s, id, saltKey)
	if err != nil {
		return err
	}
	var minions []*minion.Minion
	for _, master := range s.Masters {
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			return ups.wires.dial(ctx, master, network, address)
		}
		m, err := s.minion(id, key, master, dial)
		if err != nil {
			return err
		}
		minions = append(minions, m)
	}
	var done sync.WaitGroup
	for _, m := range minions {
		done.Go(func() { m.Run(ctx) })
	}
	err = ups.run(ctx)
	done.Wait()
	return err
}

// conductorMinion is a minion at a conductor, until ctx ends. Its key comes from
// the SSH connection's conductor, so it is pinned at first use like any other.
func (s *Settings) conductorMinion(ctx context.Context, id string, key *crypt.Private, host string, dial dialFunc) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h // the port is the uplink's
	}
	m, err := s.minion(id, key, host, dial)
	if err != nil {
		s.Log.Error("agent: no minion at the conductor", "conductor", host, "err", err)
		return
	}
	m.Run(ctx)
}

// minion makes the minion at one master. Functions are its own, so that two
// masters do not wait for each other; the configuration store serialises them.
func (s *Settings) minion(id string, key *crypt.Private, master string, dial dialFunc) (*minion.Minion, error) {
	host, port, err := hostPort(master)
	if err != nil {
		return nil, err
	}
	alg := salt.SHA1
	if s.SHA224 {
		alg = salt.SHA224
	}
	who, err := salt.NewIdentity(id, key, alg, rand.Reader)
	if err != nil {
		return nil, err
	}
	who.AllowV2, who.Finger = s.AllowV2, s.Finger
	log := s.Log.With("master", master)
	m, err := minion.New(minion.Config{
		Identity: who, Host: host, Port: port, Functions: module.New(s.box()), Log: log, Timing: s.Timing, Dial: dial,
		Grains:  func() msgpack.Map { return grains(os.DirFS(s.Root), id, host) },
		Pin:     pinFile(filepath.Join(s.StateDir, "identity", "master-"+fileName(master)+".pub")),
		OnState: func(st minion.State) { log.Info("agent", "salt", string(st)) },
	})
	if err != nil {
		return nil, fmt.Errorf("make minion of %s: %w", master, err)
	}
	return m, nil
}

// fileName turns HOST:PORT into what is a file's name everywhere.
func fileName(master string) string {
	out := []byte(master)
	for i, c := range out {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-') {
			out[i] = '_'
		}
	}
	return string(out)
}
