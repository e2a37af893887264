package router

import (
	"encoding/binary"
	"os"
	"slices"

	"waymark/svr/pool"
	"waymark/svr/session"
)

// ForgeRecordsForTest rewrites a file as a build would have written it whose records have
// the same fields in the opposite order, a field of its own, and gaps.
func ForgeRecordsForTest(file string) error {
	fields := session.RecordFields()
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var h recordsHeader
	if _, err := binary.Decode(b, binary.NativeEndian, &h); err != nil {
		return err
	}
	old := []pool.Field{{Name: "former", Offset: 3, Size: 8}}
	at := 13
	for _, f := range slices.Backward(fields) {
		old = append(old, pool.Field{Name: f.Name, Offset: at, Size: f.Size})
		at += f.Size + 1
	}
	back, err := pool.NewMigration(fields, old)
	if err != nil {
		return err
	}
	from, start := int(h.Record), len(b)-int(h.Sessions)*int(h.Record)
	h.Record = uint32(at)
	h.Size = uint64(start + int(h.Sessions)*at)
	out := make([]byte, h.Size)
	copy(out, b[:start])
	_, _ = binary.Encode(out, binary.NativeEndian, &h)
	clear(out[recordsFields:recordsPage])
	copy(out[recordsFields:recordsPage], pool.FormatFields(old))
	for i := range int(h.Sessions) {
		back.Copy(out[start+i*at:], b[start+i*from:])
	}
	return os.WriteFile(file, out, 0o600)
}
