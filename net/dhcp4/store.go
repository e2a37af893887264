package dhcp4

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxStored bounds the file of a lease, in bytes.
const maxStored = 64 << 10

// stored is the file that keeps a lease over a restart. Its age is told by the
// clock that counts from boot while the machine is up, by the wall clock after
// a reboot.
type stored struct {
	Lease    Lease     `json:"lease"`
	MAC      string    `json:"mac"`
	ClientID []byte    `json:"client-id"`
	Obtained time.Time `json:"obtained"`
	Boot     string    `json:"boot"`     // of the machine, random
	Uptime   float64   `json:"uptime-s"` // when obtained
}

// clocks are the two clocks by which a lease ages.
type clocks struct {
	wall   time.Time
	boot   string
	uptime time.Duration
}

func readClocks() clocks {
	c := clocks{wall: time.Now()}
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // empty: as after a reboot
	c.boot = strings.TrimSpace(string(id))
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) == nil {
		c.uptime = time.Duration(ts.Nano())
	}
	return c
}

// save replaces the file of a lease that is so old now.
func save(path string, cfg *Config, l *Lease, age time.Duration, at clocks) error {
	s := stored{Lease: *l, MAC: fmt.Sprintf("%x", cfg.MAC), ClientID: cfg.ClientID,
		Obtained: at.wall.Add(-age).UTC().Truncate(time.Second), Boot: at.boot, Uptime: (at.uptime - age).Seconds()}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write lease: %w", err)
	}
	if err := replace(path, append(b, '\n')); err != nil {
		return fmt.Errorf("write lease: %w", err)
	}
	return nil
}

// replace writes a file so that a power cut leaves the old or the new one.
func replace(path string, b []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// load reads the lease of an earlier process of the same interface. age is how
// old it is; known false: no clock can tell. Without a file, and with one that
// is another's, the lease is nil.
func load(path string, cfg *Config, at clocks) (l *Lease, age time.Duration, known bool, err error) {
	b, err := readSome(path)
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
	if s.Boot != "" && s.Boot == at.boot {
		age = at.uptime - time.Duration(s.Uptime*float64(time.Second))
	} else {
		age = at.wall.Sub(s.Obtained)
	}
	return &s.Lease, age, age >= 0, nil
}

func readSome(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxStored {
		return nil, errLease
	}
	return os.ReadFile(path)
}

// sound tells whether a lease from a file is one that a server could have given.
func (l *Lease) sound() bool {
	return l.Address.IsValid() && host(l.Address.Addr()) && host(l.Server) && l.Seconds >= MinSeconds &&
		(l.Seconds == Infinite || l.T1 < l.T2 && l.T2 < l.Seconds)
}
