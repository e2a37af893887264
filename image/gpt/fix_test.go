package gpt

import (
	"encoding/binary"
	"hash/crc32"
)

// fix makes the checksums of a header, and of the table behind it, fit.
func fix(b []byte) {
	le := binary.LittleEndian
	size := le.Uint32(b[12:])
	if size < headerSize || size > Sector {
		return
	}
	n := uint64(le.Uint32(b[80:])) * uint64(le.Uint32(b[84:]))
	if n > 1<<20 {
		return
	}
	entries := make([]byte, n)
	if len(b) > Sector {
		copy(entries, b[Sector:])
	}
	le.PutUint32(b[88:], crc32.ChecksumIEEE(entries))
	clear(b[16:20])
	le.PutUint32(b[16:], crc32.ChecksumIEEE(b[:size]))
}
