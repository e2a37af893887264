package wire_test

import (
	"bytes"
	"reflect"
	"testing"

	"waymark/svr/wire"
)

// Each target parses, appends what it got, parses that again and wants the same
// values. The committed corpus in testdata/fuzz is the golden vectors; a crash
// that fuzzing finds stays there under a name that says what it was.

func FuzzHeader(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var h, again wire.Header
		if wire.ParseHeader(b, &h) != nil {
			return
		}
		if h.Len < wire.HeaderSize || h.PayloadLen < 0 || h.Len+h.PayloadLen > len(b) {
			t.Fatalf("sections %d+%d in %d bytes", h.Len, h.PayloadLen, len(b))
		}
		if wire.FalsePositive(b) && (h.Has != 0 || h.Len != wire.HeaderSize || h.PayloadLen != 0) {
			t.Fatalf("false positive with %+v", h)
		}
		want := h
		want.Misplaced, want.Repeated = 0, 0
		out := wire.AppendHeader(nil, &want)
		if want.Len != len(out) || want.Size() != len(out) || len(out) > wire.MaxHeader {
			t.Fatalf("wrote %d bytes, Len %d, Size %d", len(out), want.Len, want.Size())
		}
		out = append(out, make([]byte, h.PayloadLen)...)
		if err := wire.ParseHeader(out, &again); err != nil || again != want {
			t.Fatalf("got %+v, %v\nwant %+v", again, err, want)
		}
	})
}

func FuzzPayload(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, again wire.Payload
		if wire.ParsePayload(b, &p) != nil {
			return
		}
		if p.Forward && p.Reverse {
			t.Fatal("two directions")
		}
		want := p
		want.Misplaced, want.Repeated = 0, 0
		out := wire.AppendPayload(nil, &want)
		if want.Size() != len(out) || len(out) > len(b) || len(out) > wire.MaxPayload {
			t.Fatalf("wrote %d bytes of %d, Size %d", len(out), len(b), want.Size())
		}
		if err := wire.ParsePayload(out, &again); err != nil || !reflect.DeepEqual(again, want) {
			t.Fatalf("got %+v, %v\nwant %+v", again, err, want)
		}
		for name := range p.Egress.All() {
			if len(name) > 255 {
				t.Fatal("long name")
			}
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var fr, again wire.Frame
		if wire.ParseFrame(b, &fr) != nil {
			return
		}
		out := wire.AppendBFD(nil, &fr.BFD)
		if fr.Form != wire.FormPlain {
			if got := len(fr.Signed) + len(fr.Digest); got != len(b) {
				t.Fatalf("covers %d of %d bytes", got, len(b))
			}
			h := fr.Header
			out = append(wire.AppendHeader(out, &h), fr.Section...)
			out = append(append(out, fr.Padding...), fr.Digest...)
		}
		if err := wire.ParseFrame(out, &again); err != nil {
			t.Fatal(err)
		}
		if again.BFD != fr.BFD || again.Form != fr.Form || again.Header.Steady != fr.Header.Steady ||
			!bytes.Equal(again.Section, fr.Section) || !bytes.Equal(again.Padding, fr.Padding) {
			t.Fatalf("got %+v\nwant %+v", again, fr)
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again wire.Message
		if wire.ParseMessage(b, &m) != nil {
			return
		}
		out := wire.AppendMessage(nil, &m)
		if len(out) > wire.MaxMessageLen {
			t.Fatalf("wrote %d bytes", len(out))
		}
		if err := wire.ParseMessage(out, &again); err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("got %+v, %v\nwant %+v", again, err, m)
		}
	})
}
