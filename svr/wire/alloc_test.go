package wire_test

import (
	"testing"

	"waymark/svr/wire"
)

// TestAllocations: codec work on the packet path allocates nothing.
func TestAllocations(t *testing.T) {
	all := vectors(t)
	clear, gcm := all["forward-clear"].Payload, all["forward-gcm-payload"].PlainTLVs
	steady, control := all["bfd-steady"].Payload, all["control-delete-session"].Payload
	buf := make([]byte, 0, 8192)
	msg := bfdMessage()
	raw := wire.AppendMessage(nil, &msg)
	var (
		h wire.Header
		p wire.Payload
		f wire.Frame
		m wire.Message
	)
	for _, row := range []struct {
		name string
		run  func() error
	}{
		{"parse header", func() error { return wire.ParseHeader(clear, &h) }},
		{"parse payload", func() error { return wire.ParsePayload(gcm, &p) }},
		{"append forward", func() error {
			buf = wire.AppendMetadata(buf[:0], &h, &p)
			return nil
		}},
		{"parse control", func() error { return wire.ParseHeader(control, &h) }},
		{"append control", func() error {
			wire.Delete(&h, &p, 7, uuid, flow6, false)
			buf = wire.AppendMetadata(buf[:0], &h, &p)
			return nil
		}},
		{"false positive", func() error {
			buf = wire.AppendFalsePositive(buf[:0])
			wire.FalsePositive(buf)
			return nil
		}},
		{"errors", func() error {
			if wire.ParseHeader(clear[:40], &h) == nil || wire.ParsePayload(gcm[:40], &p) == nil {
				t.Fatal("cut metadata was accepted")
			}
			return nil
		}},
		{"parse bfd", func() error { return wire.ParseFrame(steady, &f) }},
		{"append bfd", func() error {
			buf = wire.AppendSteady(buf[:0], &bfdUp, wire.Steady{Counter: 1})
			return nil
		}},
		{"parse message", func() error { return wire.ParseMessage(raw, &m) }},
		{"append message", func() error {
			buf = wire.AppendMessage(buf[:0], &msg)
			return nil
		}},
	} {
		var err error
		got := testing.AllocsPerRun(100, func() { err = row.run() })
		if err != nil || got != 0 {
			t.Errorf("%s: got %v allocations, error %v; want none", row.name, got, err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	pkt := vectors(b)["forward-clear"].Payload
	var h wire.Header
	var p wire.Payload
	b.ReportAllocs()
	for b.Loop() {
		if wire.ParseHeader(pkt, &h) != nil ||
			wire.ParsePayload(pkt[h.Len:h.Len+h.PayloadLen], &p) != nil {
			b.Fatal("parse failed")
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	var h wire.Header
	var p wire.Payload
	forward(&h, &p)
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = wire.AppendMetadata(buf[:0], &h, &p)
	}
}

func BenchmarkParseHeaderOnly(b *testing.B) {
	pkt := vectors(b)["control-keep-alive"].Payload
	var h wire.Header
	for b.Loop() {
		if wire.ParseHeader(pkt, &h) != nil {
			b.Fatal("parse failed")
		}
	}
}

func BenchmarkParseSteady(b *testing.B) {
	pkt := vectors(b)["bfd-steady"].Payload
	var f wire.Frame
	for b.Loop() {
		if wire.ParseFrame(pkt, &f) != nil {
			b.Fatal("parse failed")
		}
	}
}
