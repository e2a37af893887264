// Package vlan makes VLAN devices of the kernel (IEEE 802.1Q) where a part of the
// kernel needs one, as its PPPoE does on a tagged line. The lanes need none: they
// read and write tags themselves. Devices of ours carry an alias; others stay.
package vlan
