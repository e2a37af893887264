package router

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/session"
)

// someRecords makes a file of records full of something, and unmaps nothing: it
// stays as a killed router leaves it.
func someRecords(t *testing.T) (dir string, h recordsHeader, r *records) {
	t.Helper()
	dir = t.TempDir()
	h = (&Profile{Sessions: 20, Hops: 5}).recordsHeader([16]byte{1, 2, 3}, &policy.Tables{RouterName: "branch1"})
	r, err := newRecords(dir, h)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{1})
	random.Read(r.hops)
	random.Read(r.sessions)
	return dir, h, r
}

// TestRecordsMigrate: what a build with another layout left is ours, field by
// field, and the file is one of ours afterwards.
func TestRecordsMigrate(t *testing.T) {
	dir, h, r := someRecords(t)
	hops, sessions := bytes.Clone(r.hops), bytes.Clone(r.sessions)
	if err := ForgeRecordsForTest(filepath.Join(dir, RecordsFile)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		got, migrated, err := openRecords(dir, h)
		if err != nil || migrated != want {
			t.Fatalf("migrated %t, want %t, %v", migrated, want, err)
		}
		if !bytes.Equal(got.hops, hops) {
			t.Errorf("next-hops changed, migrated %t", migrated)
		}
		for i := range int(h.Sessions) {
			a, b := sessions[i*int(h.Record):], got.sessions[i*int(h.Record):]
			for _, f := range session.RecordFields() {
				if x, y := a[f.Offset:f.Offset+f.Size], b[f.Offset:f.Offset+f.Size]; !bytes.Equal(x, y) {
					t.Errorf("session %d, %s: got %x, want %x", i, f.Name, y, x)
				}
			}
		}
		if got.file != filepath.Join(dir, RecordsFile) {
			t.Errorf("file %s", got.file)
		}
	}
	if list, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(list) != 1 {
		t.Errorf("files %v, %v", list, err)
	}
}

// TestRecordsRefused: files that are not ours, or that nobody can read, are left
// as they are.
func TestRecordsRefused(t *testing.T) {
	wider := slices.Clone(session.RecordFields())
	wider[0].Size--
	for _, c := range []struct {
		name   string
		change func(h *recordsHeader, page []byte)
		want   error
	}{
		{"meaning", func(h *recordsHeader, _ []byte) { h.Version-- }, fs.ErrNotExist},
		{"table", func(h *recordsHeader, _ []byte) { h.Table[0]++ }, fs.ErrNotExist},
		{"policy", func(h *recordsHeader, _ []byte) { h.Tables++ }, fs.ErrNotExist},
		{"next-hops", func(h *recordsHeader, _ []byte) { h.Hops++ }, fs.ErrNotExist},
		{"size", func(h *recordsHeader, _ []byte) { h.Size++ }, fs.ErrNotExist},
		{"record", func(h *recordsHeader, _ []byte) { h.Record++ }, fs.ErrNotExist},
		{"magic", func(h *recordsHeader, _ []byte) { h.Magic++ }, fs.ErrNotExist},
		{"no fields", func(_ *recordsHeader, p []byte) { clear(p[recordsFields:]) }, pool.ErrFields},
		{"a field's size", func(_ *recordsHeader, p []byte) {
			clear(p[recordsFields:])
			copy(p[recordsFields:], pool.FormatFields(wider))
		}, pool.ErrFields},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, h, r := someRecords(t)
			other := h
			c.change(&other, r.mem[:recordsPage])
			_, _ = binary.Encode(r.mem, binary.NativeEndian, &other)
			before := bytes.Clone(r.mem)
			if got, migrated, err := openRecords(dir, h); !errors.Is(err, c.want) {
				t.Errorf("got %v, migrated %t, %v, want %v", got, migrated, err, c.want)
			}
			if !bytes.Equal(r.mem, before) {
				t.Error("the file changed")
			}
		})
	}
}
