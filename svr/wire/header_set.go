package wire

import "math/bits"

// headerValueSize is the value size of the lowest type in s.
func headerValueSize(s Set) int {
	i := bits.TrailingZeros64(uint64(s))
	if Type(i) == TypeHealthCheck {
		return 1
	}
	return int(specs[i].max)
}

// SetSecurityID adds TLV 16.
func (h *Header) SetSecurityID(id uint32) {
	h.SecurityID = id
	h.Has.Add(TypeSecurityID)
}

// SetControl adds TLV 24.
func (h *Header) SetControl(c Control) {
	h.Control = c
	h.Has.Add(TypeControl)
}

// SetHealthCheck adds TLV 46 in its one-byte form.
func (h *Header) SetHealthCheck(c HealthCheck) {
	h.HealthCheck = c
	h.Has.Add(TypeHealthCheck)
}

// SetFragment adds TLV 1.
func (h *Header) SetFragment(f Fragment) {
	h.Fragment = f
	h.Has.Add(TypeFragment)
}

// SetMetrics adds TLV 26.
func (h *Header) SetMetrics(m PathMetrics) {
	h.Metrics = m
	h.Has.Add(TypeMetrics)
}

// SetICMPIPv4 adds TLV 20.
func (h *Header) SetICMPIPv4(a [4]byte) {
	h.ICMPIPv4 = a
	h.Has.Add(TypeICMPIPv4)
}

// SetICMPIPv6 adds TLV 21.
func (h *Header) SetICMPIPv6(a [16]byte) {
	h.ICMPIPv6 = a
	h.Has.Add(TypeICMPIPv6)
}

// SetDisableForward adds TLV 18.
func (h *Header) SetDisableForward() { h.Has.Add(TypeDisableForward) }

// SetSteady adds TLV 0x8003.
func (h *Header) SetSteady(s Steady) {
	h.Steady = s
	h.Has.Add(TypeBFDSteady)
}

// DisableForward reports whether TLV 18 is present.
func (h *Header) DisableForward() bool { return h.Has.Has(TypeDisableForward) }
