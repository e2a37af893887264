package box

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"waymark/mgmt/file"
)

// EntitlementFile is what the agent tells of use in the run directory: what
// `show entitlement` shows. It keeps the same in its state directory.
const EntitlementFile = "agent.entitlement.json"

// Bounds of the file: months that are kept, and bytes that are read.
const (
	MaxMonths      = 24
	maxEntitlement = 64 << 10
)

// Month is what a router used in one month.
type Month struct {
	Router string `json:"router"`
	Month  string `json:"month"` // "2026-11", UTC
	Peak   uint64 `json:"peak"`  // bit/s, the highest sample
}

const monthForm = "2006-01"

// Note takes a sample into a list of months, oldest first, and tells whether it
// is a new peak.
func Note(list []Month, router string, at time.Time, bits uint64) ([]Month, bool) {
	name := at.UTC().Format(monthForm)
	i := slices.IndexFunc(list, func(m Month) bool { return m.Router == router && m.Month == name })
	switch {
	case i >= 0 && list[i].Peak >= bits:
		return list, false
	case i >= 0:
		list[i].Peak = bits
		return list, true
	}
	list = append(list, Month{router, name, bits})
	slices.SortStableFunc(list, func(a, b Month) int { return strings.Compare(a.Month, b.Month) })
	return list[max(0, len(list)-MaxMonths):], true
}

// WriteEntitlement replaces a file of months.
func WriteEntitlement(path string, list []Month) error {
	b, err := json.Marshal(list)
	if err == nil {
		err = file.Replace(path, append(b, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write entitlement: %w", err)
	}
	return nil
}

// ReadEntitlement reads a file of months; without one there are none.
func ReadEntitlement(path string) ([]Month, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read entitlement: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxEntitlement))
	var list []Month
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("read entitlement %s: %w", path, err)
	}
	return slices.DeleteFunc(list, func(m Month) bool {
		_, err := time.Parse(monthForm, m.Month)
		return err != nil
	}), nil
}

// Entitlement returns the rows of `show entitlement` of a run directory.
func Entitlement(run string, now time.Time) ([]json.RawMessage, error) {
	list, err := ReadEntitlement(filepath.Join(run, EntitlementFile))
	var rows []json.RawMessage
	for _, m := range list {
		at, _ := time.Parse(monthForm, m.Month) // ReadEntitlement leaves no others
		month := at.Format("Jan 2006")
		if m.Month == now.UTC().Format(monthForm) {
			month = "*" + month
		}
		row, err := json.Marshal(map[string]any{"project": m.Router, "month": month,
			"entitlement-utilized": fmt.Sprintf("%.2f Mbps", float64(m.Peak)/1e6), "bits-per-second": m.Peak})
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, err
}
