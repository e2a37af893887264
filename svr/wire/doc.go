// Package wire is the codec of wire profile 1: the metadata header and its
// TLVs, control messages, fabric fragments, false-positive headers, and BFD
// with its metadata. docs/wire.md draws every byte of it.
//
// It is pure: bytes in, values out. Nothing here encrypts, signs or decides;
// a parsed value says only what the bytes say. Append and Parse functions
// allocate nothing as long as the destination has room. Slices in parsed
// values alias the input and live as long as that buffer does.
//
// All numbers on the wire are big-endian, except inside the BFD message
// (TLV 0x8002), which uses protobuf's encoding.
package wire

import "errors"

// Sizes and constants of the metadata header.
const (
	// Cookie is the first 8 bytes of every metadata header, big-endian.
	Cookie uint64 = 0x4c48dbc6ddf6670c
	// Version is the only header version there is.
	Version = 1
	// HeaderSize is the length of a header without TLVs, in bytes.
	HeaderSize = 12
	// MaxHeaderLen is the longest header the 12-bit field can tell.
	MaxHeaderLen = 4095
	// MaxPayloadLen is the longest payload section the 16-bit field can tell.
	MaxPayloadLen = 65535

	tlvHead = 4 // type u16, length u16
)

// Bounds of variable TLVs, in bytes of value. Parsing refuses what is longer;
// appending cuts names there, so that the size constants always hold.
const (
	MaxName    = 255  // tenant, service, router, policy, application names
	MaxPathway = 128  // TLV 19
	MaxKey     = 64   // TLV 46 in the payload section; profile 1 sends 16
	MaxEgress  = 1024 // TLV 51
	MaxMessage = 4096 // TLV 0x8002
)

// What can be wrong with metadata. They are plain sentinels: parsers return
// them unwrapped, because wrapping would allocate on the packet path.
var (
	ErrNoCookie     = errors.New("wire: no metadata cookie")
	ErrTruncated    = errors.New("wire: metadata longer than the packet")
	ErrVersion      = errors.New("wire: unknown metadata version")
	ErrHeaderLength = errors.New("wire: metadata header length below 12")
	ErrTLV          = errors.New("wire: malformed TLV")
	ErrBFD          = errors.New("wire: malformed BFD packet")
	ErrMessage      = errors.New("wire: malformed BFD message")
)
