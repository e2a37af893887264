package pool

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

type oldRecord struct {
	id    [16]byte
	gone  uint32
	legs  [2]struct{ kind, role uint8 }
	last  int64
	state struct{ end [2]uint32 }
}

type newRecord struct {
	last  int64
	fresh uint16
	state struct{ end [2]uint32 }
	legs  [2]struct{ role, extra, kind uint8 }
	id    [16]byte
}

func TestFields(t *testing.T) {
	want := []Field{{"id", 0, 16}, {"gone", 16, 4}, {"legs.0.kind", 20, 1}, {"legs.0.role", 21, 1},
		{"legs.1.kind", 22, 1}, {"legs.1.role", 23, 1}, {"last", 24, 8}, {"state.end", 32, 8}}
	got := Fields[oldRecord]()
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	text := append(FormatFields(got), 0, 0, 0)
	if read, err := ParseFields(text, RecordSize[oldRecord]()); err != nil || !slices.Equal(read, got) {
		t.Errorf("read %v, %v", read, err)
	}
}

// TestMigration: fields go by name, whatever else changed.
func TestMigration(t *testing.T) {
	src, dst := make([]byte, RecordSize[oldRecord]()), make([]byte, RecordSize[newRecord]())
	old, now := &Records[oldRecord](src, 1)[0], &Records[newRecord](dst, 1)[0]
	*old = oldRecord{id: [16]byte{1, 15: 2}, gone: 7, last: -3}
	old.legs[1].kind, old.legs[0].role, old.state.end[1] = 4, 5, 1<<31
	m, err := NewMigration(Fields[oldRecord](), Fields[newRecord]())
	if err != nil {
		t.Fatal(err)
	}
	m.Copy(dst, src)
	want := newRecord{id: old.id, last: -3, fresh: 0} // what the old one had not is zero
	want.legs[1].kind, want.legs[0].role, want.state.end[1] = 4, 5, 1<<31
	if *now != want {
		t.Errorf("got %+v, want %+v", *now, want)
	}
}

func TestFieldsRefused(t *testing.T) {
	for _, text := range []string{"", "\x00\x00", "a 0", "a 0 0", "a -1 4", "a 5 4", "a 0 9", "a x 1", "a 0 x",
		"a 9223372036854775807 1", "a 1 9223372036854775807", "b 0 4\n\na 0 1"} {
		if list, err := ParseFields([]byte(text), 8); !errors.Is(err, ErrFields) {
			t.Errorf("%q: got %v, %v", text, list, err)
		}
	}
	if _, err := ParseFields(bytes.Repeat([]byte("a 0 1\n"), mostFields+1), 8); !errors.Is(err, ErrFields) {
		t.Errorf("more than %d fields: %v", mostFields, err)
	}
	if m, err := NewMigration([]Field{{"a", 0, 2}}, []Field{{"a", 0, 4}}); !errors.Is(err, ErrFields) {
		t.Errorf("another size: %v, %v", m, err)
	}
}

func FuzzParseFields(f *testing.F) {
	f.Add(FormatFields(Fields[oldRecord]()))
	f.Fuzz(func(t *testing.T, b []byte) {
		const size = 64
		list, err := ParseFields(b, size)
		if err != nil {
			return
		}
		m, err := NewMigration(list, Fields[oldRecord]())
		if err == nil {
			m.Copy(make([]byte, RecordSize[oldRecord]()), make([]byte, size))
		}
	})
}
