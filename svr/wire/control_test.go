package wire_test

import (
	"testing"

	"waymark/svr/wire"
)

// TestControlMessages: each named message says what it is and to what it is
// bound, and forgets what its structures held before.
func TestControlMessages(t *testing.T) {
	bound := wire.SetOf(wire.TypeUUID)
	forward4, reverse6 := bound, bound
	forward4.Add(wire.TypeForwardIPv4)
	reverse6.Add(wire.TypeReverseIPv6)
	signed := wire.SetOf(wire.TypeSecurityID, wire.TypeControl)
	for _, row := range []struct {
		name    string
		fill    func(h *wire.Header, p *wire.Payload)
		control wire.Control
		header  wire.Set
		payload wire.Set
	}{
		{"keep-alive", func(h *wire.Header, p *wire.Payload) { wire.KeepAlive(h, p, 7) },
			wire.ControlKeepAlive, signed, 0},
		{"enable-metadata", func(h *wire.Header, p *wire.Payload) { wire.Enable(h, p, 7) },
			wire.ControlEnable, signed, 0},
		{"disable-metadata", func(h *wire.Header, p *wire.Payload) {
			wire.Disable(h, p, 7, uuid, flow6.Reverse())
		}, wire.ControlDisable, signed | wire.SetOf(wire.TypeDisableForward), reverse6},
		{"delete-session", func(h *wire.Header, p *wire.Payload) {
			wire.Delete(h, p, 7, uuid, flow, true)
		}, wire.ControlDelete, signed, forward4},
		{"delete-session", func(h *wire.Header, p *wire.Payload) {
			wire.Delete(h, p, 7, uuid, flow6.Reverse(), false)
		}, wire.ControlDelete, signed, reverse6},
		{"health-answer", func(h *wire.Header, p *wire.Payload) {
			wire.HealthAnswer(h, p, 7, uuid, flow, true)
		}, wire.ControlHealth, signed, forward4},
	} {
		h, p := fullHeader(), fullPayload()
		row.fill(&h, &p)
		b := wire.AppendMetadata(nil, &h, &p)
		if err := wire.ParseHeader(b, &h); err != nil {
			t.Fatal(err)
		}
		if err := wire.ParsePayload(b[h.Len:h.Len+h.PayloadLen], &p); err != nil {
			t.Fatal(err)
		}
		if h.Control != row.control || h.Control.String() != row.name || h.SecurityID != 7 {
			t.Errorf("%s: got %v, security id %d", row.name, h.Control, h.SecurityID)
		}
		checkSet(t, row.name+" header", h.Has, row.header)
		checkSet(t, row.name+" payload", p.Has, row.payload)
		if p.Has != 0 && (p.UUID != uuid || !p.UUIDFirst) {
			t.Errorf("%s: got UUID %x, first %v", row.name, p.UUID, p.UUIDFirst)
		}
	}
}

func TestNames(t *testing.T) {
	for _, row := range []struct{ got, want string }{
		{wire.ControlUnknown.String(), "unknown"},
		{wire.Control(5).String(), "control-5"},
		{wire.HealthRequest.String(), "request"},
		{wire.HealthTimeout.String(), "request-timeout"},
		{wire.HealthCheck(9).String(), "health-check-9"},
		{wire.TypeChallenge.String(), "challenge"},
		{wire.Type(0).String(), "type-0"},
		{wire.Type(9).String(), "type-9"},
		{wire.Type(52).String(), "type-52"},
		{wire.Type(0x8000).String(), "type-32768"},
		{wire.Type(0x8004).String(), "type-32772"},
		{wire.SetOf(wire.TypeSYN, wire.TypeUUID, 9).String(), "session-uuid tcp-syn"},
		{wire.FieldAddress.String(), "your-address"},
		{wire.Field(0).String(), "field-0"},
		{wire.Field(14).String(), "field-14"},
		{wire.BFDUp.String(), "up"},
		{wire.FormPlain.String() + wire.FormFull.String() + wire.FormSteady.String(), "plainfullsteady"},
		{wire.Form(3).String(), "unknown"},
	} {
		if row.got != row.want {
			t.Errorf("got %q, want %q", row.got, row.want)
		}
	}
}

func TestSet(t *testing.T) {
	var all wire.Set
	n := 0
	for i := range 1 << 16 {
		before := all
		all.Add(wire.Type(i))
		if known := wire.Type(i).Known(); known != (all != before) || known != all.Has(wire.Type(i)) {
			t.Errorf("type %d: known %v, set %v", i, known, all)
		} else if known {
			n++
		}
	}
	if got := all.Len(); got != n || n != 32 {
		t.Errorf("got %d types in the set, %d known, want 32", got, n)
	}
	for i := range 1 << 16 {
		all.Remove(wire.Type(i))
	}
	if all != 0 {
		t.Errorf("left over: %v", all)
	}
}
