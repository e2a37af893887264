package wire_test

import (
	"bytes"
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"waymark/svr/wire"
)

func TestMessageRoundTrip(t *testing.T) {
	long := bytes.Repeat([]byte{'m'}, 4096)
	top := uint64(1<<64 - 1)
	full := wire.Message{
		Router: long[:wire.MaxName], Node: long[:wire.MaxName], Path: long[:wire.MaxPathway],
		Counter: top, Sent: top, Held: top, Unix: top,
		Address: netip.MustParseAddrPort("[2001:db8::1]:65535"),
		Echo:    wire.Echo{Epoch: wire.Epoch{1}, Counter: top, Sent: top},
		Key:     long[:wire.MaxExchange], Request: long[:wire.MaxRequest], Software: long[:wire.MaxName],
	}
	for f := wire.FieldRouter; f <= wire.FieldSoftware; f++ {
		full.Has.Add(f)
	}
	mapped := wire.Message{Address: netip.MustParseAddrPort("[::ffff:192.0.2.1]:1")}
	mapped.Has.Add(wire.FieldAddress)
	for _, want := range []wire.Message{{}, bfdMessage(), full, mapped} {
		b := wire.AppendMessage(nil, &want)
		if len(b) > wire.MaxMessageLen {
			t.Errorf("got %d bytes, more than %d", len(b), wire.MaxMessageLen)
		}
		var got wire.Message
		if err := wire.ParseMessage(b, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
	}
	if got := full.Has.Len(); got != 13 {
		t.Errorf("got %d fields, want 13", got)
	}
}

// TestMessageBounds: what does not fit is cut or left out.
func TestMessageBounds(t *testing.T) {
	long := make([]byte, 5000)
	m := wire.Message{Router: long, Path: long, Key: long, Request: long}
	m.Has.Add(wire.FieldRouter, wire.FieldPath, wire.FieldKey, wire.FieldRequest,
		wire.FieldAddress, 0, 14)
	var got wire.Message
	if err := wire.ParseMessage(wire.AppendMessage(nil, &m), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Router) != wire.MaxName || len(got.Path) != wire.MaxPathway || got.Has.Len() != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestMessageSkips(t *testing.T) {
	b := []byte{
		0x70, 0x96, 0x01, // field 14, varint
		0x79, 1, 2, 3, 4, 5, 6, 7, 8, // 15, fixed64
		0x82, 0x01, 2, 'x', 'y', // 16, bytes
		0xfd, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3, 4, // highest number, fixed32
		0x42, 6, 0x10, 5, 0x22, 0, 0x18, 7, // echo with an unknown field 4
		0x28, 3, // counter
	}
	var m wire.Message
	if err := wire.ParseMessage(b, &m); err != nil {
		t.Fatal(err)
	}
	if m.Counter != 3 || m.Echo != (wire.Echo{Counter: 5, Sent: 7}) || m.Has.Len() != 2 {
		t.Errorf("got %+v", m)
	}
}

func TestMessageRejects(t *testing.T) {
	for _, row := range []struct {
		name string
		in   []byte
	}{
		{"endless key", bytes.Repeat([]byte{0x80}, 11)},
		{"field 0", []byte{0x00, 1}},
		{"key beyond 32 bits", []byte{0x80, 0x80, 0x80, 0x80, 0x10, 1}},
		{"group", []byte{0x73}},
		{"end of group", []byte{0x74}},
		{"wire type 6", []byte{0x76}},
		{"varint cut", []byte{0x28, 0x80}},
		{"varint too long", append([]byte{0x28}, bytes.Repeat([]byte{0xff}, 10)...)},
		{"fixed64 cut", []byte{0x21, 1, 2, 3}},
		{"fixed32 cut", []byte{0x75, 1}},
		{"bytes cut", []byte{0x0a, 2, 'x'}},
		{"bytes of 2^63", []byte{0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}},
		{"length missing", []byte{0x0a}},
		{"router as varint", []byte{0x08, 1}},
		{"counter as fixed64", []byte{0x29, 1, 2, 3, 4, 5, 6, 7, 8}},
		{"epoch as fixed32", []byte{0x25, 1, 2, 3, 4}},
		{"counter twice", []byte{0x28, 1, 0x28, 2}},
		{"router of 256", append([]byte{0x0a, 0x80, 0x02}, make([]byte, 256)...)},
		{"path of 129", append([]byte{0x1a, 0x81, 0x01}, make([]byte, 129)...)},
		{"address of family 5", []byte{0x32, 7, 5, 1, 2, 3, 4, 5, 6}},
		{"address of 6", []byte{0x32, 6, 4, 1, 2, 3, 4, 5}},
		{"address empty", []byte{0x32, 0}},
		{"IPv6 address of 7", []byte{0x32, 7, 6, 1, 2, 3, 4, 5, 6}},
		{"echo cut", []byte{0x42, 1, 0x10}},
		{"echo counter twice", []byte{0x42, 4, 0x10, 1, 0x10, 2}},
		{"echo epoch as varint", []byte{0x42, 2, 0x08, 1}},
		{"echo sent as fixed64", []byte{0x42, 9, 0x19, 1, 2, 3, 4, 5, 6, 7, 8}},
	} {
		var m wire.Message
		if got := wire.ParseMessage(row.in, &m); !errors.Is(got, wire.ErrMessage) {
			t.Errorf("%s: got %v, want %v", row.name, got, wire.ErrMessage)
		}
	}
}
