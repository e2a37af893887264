package wire_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"waymark/svr/wire"
)

// The tests below hold docs/wire.md against the code: every row of its tables
// and every hexadecimal block.

func readDoc(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("../../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(raw), "\n")
}

// table returns the rows of the table whose first heading cells are head.
func table(t *testing.T, head ...string) (rows [][]string) {
	t.Helper()
	in := false
	for _, line := range readDoc(t) {
		if !strings.HasPrefix(line, "|") {
			in = false
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case len(cells) >= len(head) && slices.Equal(cells[:len(head)], head):
			in = true
		case in && !strings.HasPrefix(cells[0], "-"):
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("no table %q", head)
	}
	return rows
}

// lengths reads "10", "0–255" or "11 or 35".
func lengths(t *testing.T, cell string) func(n int) bool {
	t.Helper()
	number := func(s string) int {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil {
			t.Fatalf("length %q: %v", cell, err)
		}
		return n
	}
	if from, to, ok := strings.Cut(cell, "–"); ok {
		low, high := number(from), number(to)
		return func(n int) bool { return low <= n && n <= high }
	}
	var want []int
	for _, s := range strings.Split(cell, "or") {
		want = append(want, number(s))
	}
	return func(n int) bool { return slices.Contains(want, n) }
}

// longest is beyond every bound of the table.
const longest = wire.MaxMessage + 2

// valueOf makes a value of n bytes that is sound inside where type and length
// allow it.
func valueOf(typ wire.Type, n int) []byte {
	v := make([]byte, n)
	switch {
	case typ == wire.TypeMulticast && n == 11:
		v[0] = 4
	case typ == wire.TypeMulticast && n == 35:
		v[0] = 6
	case typ == wire.TypeEgress && n > 2:
		count := 0
		for at := 2; at < n; at += 1 + int(v[at]) {
			v[at] = byte(min(n-at-1, 255))
			count++
		}
		binary.BigEndian.PutUint16(v, uint16(count))
	}
	return v
}

func TestDocTLVs(t *testing.T) {
	seen := wire.Set(0)
	for _, row := range table(t, "type", "name", "section", "length") {
		n, err := strconv.ParseUint(row[0], 0, 16)
		if err != nil {
			t.Fatal(err)
		}
		typ := wire.Type(n)
		if name := typ.String(); name != row[1] && (typ != 46 || !strings.Contains(name, row[1])) {
			t.Errorf("type %d: the page says %q, the code %q", n, row[1], name)
		}
		if row[2] != "header" && row[2] != "payload" {
			t.Errorf("type %d: section %q", n, row[2])
		}
		seen.Add(typ)
		checkLengths(t, typ, row[2] == "header", lengths(t, row[3]))
	}
	for i := range 1 << 16 {
		if typ := wire.Type(i); typ.Known() && !seen.Has(typ) {
			t.Errorf("type %d (%v) is not on the page", i, typ)
		}
	}
}

// checkLengths parses a TLV of every length in both sections. Type 46 has two
// forms: what is no length of the one is the other's.
func checkLengths(t *testing.T, typ wire.Type, header bool, fits func(int) bool) {
	t.Helper()
	for n := range longest {
		if n > 4079 && header {
			break // longer than a header section can hold
		}
		got, wrong := parseOne(typ, header, valueOf(typ, n))
		want := "ErrTLV"
		if fits(n) {
			want = "taken"
		} else if typ == 46 && (header || n == 1) {
			want = "misplaced"
		}
		if got != want {
			t.Errorf("type %d, length %d: got %s, want %s", typ, n, got, want)
		}
		if wrong != "misplaced" && typ != 46 {
			t.Errorf("type %d in the wrong section: got %s", typ, wrong)
		}
	}
}

// parseOne tells what becomes of a TLV in the given section and in the other.
func parseOne(typ wire.Type, header bool, v []byte) (here, there string) {
	one := tlv(typ, v...)
	var h wire.Header
	var p wire.Payload
	inHeader, inPayload := "misplaced", "misplaced"
	if len(one) <= wire.MaxHeaderLen-wire.HeaderSize {
		inHeader = verdict(wire.ParseHeader(headerOf(one), &h), h.Has, h.Misplaced, typ)
	}
	inPayload = verdict(wire.ParsePayload(one, &p), p.Has, p.Misplaced, typ)
	if header {
		return inHeader, inPayload
	}
	return inPayload, inHeader
}

func verdict(err error, has, misplaced wire.Set, typ wire.Type) string {
	switch {
	case err == wire.ErrTLV:
		return "ErrTLV"
	case err != nil:
		return err.Error()
	case has.Has(typ):
		return "taken"
	case misplaced.Has(typ):
		return "misplaced"
	}
	return "skipped"
}

func TestDocControls(t *testing.T) {
	for _, row := range table(t, "value", "name", "payload section") {
		n, err := strconv.Atoi(row[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := wire.Control(n).String(); got != row[1] {
			t.Errorf("control %d: the page says %q, the code %q", n, row[1], got)
		}
	}
}

func TestDocMessage(t *testing.T) {
	rows := table(t, "field", "name", "wire type", "length")
	if got, want := len(rows), int(wire.FieldSoftware); got != want {
		t.Errorf("got %d fields on the page, want %d", got, want)
	}
	for _, row := range rows {
		n, err := strconv.Atoi(row[0])
		if err != nil {
			t.Fatal(err)
		}
		f := wire.Field(n)
		if f.String() != row[1] {
			t.Errorf("field %d: the page says %q, the code %q", n, row[1], f)
		}
		for wireType := range 8 {
			if fmt.Sprint(wireType) != row[2] {
				checkField(t, f, wireType, 8, false)
			}
		}
		fits := lengths(t, row[3])
		switch row[2] {
		case "0":
			for size := 1; size < 12; size++ {
				checkField(t, f, 0, size, fits(size))
			}
		case "1":
			checkField(t, f, 1, 8, fits(8))
		case "2":
			for size := range wire.MaxExchange + 2 {
				checkField(t, f, 2, size, fits(size))
			}
		}
	}
}

// checkField parses one field whose value has size bytes.
func checkField(t *testing.T, f wire.Field, wireType, size int, want bool) {
	t.Helper()
	b := []byte{byte(f)<<3 | byte(wireType)}
	switch v := fieldValue(f, size); wireType {
	case 0:
		b = append(append(b, bytes.Repeat([]byte{0x80}, size-1)...), 1)
	case 1:
		b = append(b, make([]byte, 8)...)
	case 5:
		b = append(b, make([]byte, 4)...)
	default:
		b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
	}
	var m wire.Message
	if got := wire.ParseMessage(b, &m) == nil; got != want {
		t.Errorf("field %v, wire type %d, %d bytes: taken %v, want %v", f, wireType, size, got, want)
	}
}

// fieldValue makes size bytes that are sound inside.
func fieldValue(f wire.Field, size int) []byte {
	v := make([]byte, size)
	switch {
	case f == wire.FieldAddress && size > 0:
		v[0] = 4
		if size == 19 {
			v[0] = 6
		}
	case f == wire.FieldEcho:
		return bytes.Repeat([]byte{0x7a, 0}, size/2) // field 15, empty
	}
	return v
}

// TestDocHex: a block "hex NAME" is the vector of that name, byte for byte. A
// line is bytes up to two blanks, then words.
func TestDocHex(t *testing.T) {
	all := vectors(t)
	name, blocks := "", 0
	var got []byte
	for _, line := range readDoc(t) {
		switch {
		case strings.HasPrefix(line, "```hex "):
			name, got = strings.TrimPrefix(line, "```hex "), nil
		case name != "" && line == "```":
			if want := all[name].Payload; want == nil || !bytes.Equal(got, want) {
				t.Errorf("%s:\n the page %x\n the vector %x", name, got, []byte(want))
			}
			name = ""
			blocks++
		case name != "":
			digits, _, _ := strings.Cut(line, "  ")
			b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
			if err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			got = append(got, b...)
		}
	}
	if blocks < 9 {
		t.Errorf("found %d blocks", blocks)
	}
}
