package wire

import "encoding/binary"

// falseWord is version, header length 12 and payload length 0.
const falseWord = Version<<28 | HeaderSize<<16

// FalsePositive reports whether b begins with the 12-byte header without TLVs
// and payload section that is put before a bare payload which itself begins
// with the cookie. The receiver strips those 12 bytes; such a packet counts as
// one without metadata.
func FalsePositive(b []byte) bool {
	return len(b) >= HeaderSize && binary.BigEndian.Uint64(b) == Cookie &&
		binary.BigEndian.Uint32(b[8:]) == falseWord
}

// AppendFalsePositive appends that header.
func AppendFalsePositive(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(dst, Cookie), falseWord)
}
