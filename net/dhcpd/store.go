package dhcpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"waymark/net/keep"
)

// maxStored bounds the file of leases, in bytes: 4,096 of them with every field
// at its longest fit.
const maxStored = 4 << 20

// stored is the file that keeps leases over a restart.
type stored struct {
	At     keep.Stamp `json:"at"`
	Leases []Lease    `json:"leases"`
}

func save(path string, list []Lease, at keep.Stamp) error {
	b, err := json.Marshal(stored{At: at, Leases: list})
	if err == nil {
		err = keep.Replace(path, append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep leases: %w", err)
	}
	return nil
}

// load reads what an earlier process kept, and how old it is; 0 when no clock
// can tell: better a lease too long than an address given twice.
func load(path string, now keep.Stamp) ([]Lease, time.Duration, error) {
	b, err := keep.Read(path, maxStored)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	var s stored
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read leases %s: %w", path, err)
	}
	age, known := s.At.Since(now)
	if !known {
		age = 0
	}
	return s.Leases, age, nil
}
