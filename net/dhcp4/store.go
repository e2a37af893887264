package dhcp4

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"waymark/net/keep"
)

// maxStored bounds the file of a lease, in bytes.
const maxStored = 64 << 10

// stored is the file that keeps a lease over a restart.
type stored struct {
	Lease    Lease      `json:"lease"`
	MAC      string     `json:"mac"`
	ClientID []byte     `json:"client-id"`
	Obtained keep.Stamp `json:"obtained"`
}

// save replaces the file of a lease that is so old now.
func save(path string, cfg *Config, l *Lease, age time.Duration, at keep.Stamp) error {
	s := stored{Lease: *l, MAC: fmt.Sprintf("%x", cfg.MAC), ClientID: cfg.ClientID,
		Obtained: keep.Stamp{Wall: at.Wall.Add(-age).UTC().Truncate(time.Second), Boot: at.Boot, Uptime: at.Uptime - age}}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write lease: %w", err)
	}
	if err := keep.Replace(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write lease: %w", err)
	}
	return nil
}

// load reads the lease of an earlier process of the same interface. age is how
// old it is; known false: no clock can tell. Without a file, and with one that
// is another's, the lease is nil.
func load(path string, cfg *Config, at keep.Stamp) (l *Lease, age time.Duration, known bool, err error) {
	b, err := keep.Read(path, maxStored)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, false, nil
	}
	var s stored
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return nil, 0, false, fmt.Errorf("read lease %s: %w", path, err)
	}
	if s.MAC != fmt.Sprintf("%x", cfg.MAC) || string(s.ClientID) != string(cfg.ClientID) {
		return nil, 0, false, nil
	}
	if !s.Lease.sound() {
		return nil, 0, false, fmt.Errorf("read lease %s: %w", path, errLease)
	}
	age, known = s.Obtained.Since(at)
	return &s.Lease, age, known, nil
}

// sound tells whether a lease from a file is one that a server could have given.
func (l *Lease) sound() bool {
	return l.Address.IsValid() && host(l.Address.Addr()) && host(l.Server) && l.Seconds >= MinSeconds &&
		(l.Seconds == Infinite || l.T1 < l.T2 && l.T2 < l.Seconds)
}
