package ambient

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Bounds of what another process may tell.
const (
	MaxFile = 64 << 10 // bytes
	maxRows = 256
	maxName = 128
)

var errTooMuch = errors.New("too many rows or too long names")

// Marshal writes rows as the file that other processes leave in the run
// directory.
func Marshal(rows []Row) ([]byte, error) {
	b, err := json.Marshal(rows)
	if err != nil {
		return nil, fmt.Errorf("write ledger: %w", err)
	}
	return append(b, '\n'), nil
}

// Parse reads such a file.
func Parse(b []byte) ([]Row, error) {
	var rows []Row
	if len(b) > MaxFile {
		return nil, fmt.Errorf("read ledger: %w", errTooMuch)
	}
	if err := json.Unmarshal(b, &rows); err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	if len(rows) > maxRows {
		return nil, fmt.Errorf("read ledger: %w", errTooMuch)
	}
	for i := range rows {
		r := &rows[i]
		if len(r.Interface) > maxName || len(r.Subject) > maxName || len(r.Channel) > maxName || r.Channel == "" {
			return nil, fmt.Errorf("read ledger: %w", errTooMuch)
		}
	}
	return rows, nil
}
