package dhcp4

import (
	"encoding/hex"
	"fmt"
)

// MAC is an Ethernet address; in files twelve hexadecimal digits.
type MAC [6]byte

// MarshalText writes a MAC.
func (m MAC) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, m[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (m *MAC) UnmarshalText(b []byte) error {
	if len(b) != 2*len(m) {
		return fmt.Errorf("read MAC address %q: %w", b, errLease)
	}
	if _, err := hex.Decode(m[:], b); err != nil {
		return fmt.Errorf("read MAC address %q: %w", b, err)
	}
	return nil
}
