package frame

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// MAC is an Ethernet address; in files twelve hexadecimal digits.
type MAC [6]byte

// Broadcast is every station.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

var errMAC = errors.New("not twelve hexadecimal digits")

// MarshalText writes a MAC.
func (m MAC) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, m[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (m *MAC) UnmarshalText(b []byte) error {
	if len(b) != 2*len(m) {
		return fmt.Errorf("read MAC address %q: %w", b, errMAC)
	}
	if _, err := hex.Decode(m[:], b); err != nil {
		return fmt.Errorf("read MAC address %q: %w", b, err)
	}
	return nil
}
