package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/wire"
)

// tlv writes one TLV by hand.
func tlv(t wire.Type, v ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(t))
	b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
	return append(b, v...)
}

// headerOf puts a header section behind a header by hand.
func headerOf(section []byte) []byte {
	b := wire.AppendFalsePositive(nil)
	binary.BigEndian.PutUint16(b[8:], uint16(0x1000|(12+len(section))))
	return append(b, section...)
}

func TestParseHeaderRejects(t *testing.T) {
	good := vectors(t)["path-metrics"].Payload
	set := func(i int, v byte) []byte {
		b := bytes.Clone(good)
		b[i] = v
		return b
	}
	for _, row := range []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, wire.ErrNoCookie},
		{"seven bytes of cookie", good[:7], wire.ErrNoCookie},
		{"another cookie", set(7, 0x0d), wire.ErrNoCookie},
		{"cookie alone", good[:8], wire.ErrTruncated},
		{"eleven bytes", good[:11], wire.ErrTruncated},
		{"version 0", set(8, 0x00), wire.ErrVersion},
		{"version 2", set(8, 0x20), wire.ErrVersion},
		{"version 15", set(8, 0xf0), wire.ErrVersion},
		{"header length 0", set(9, 0), wire.ErrHeaderLength},
		{"header length 11", set(9, 11), wire.ErrHeaderLength},
		{"header cut", good[:33], wire.ErrTruncated},
		{"header length 4095", set(8, 0x1f), wire.ErrTruncated},
		{"payload section past the end", set(11, byte(len(good)-34+1)), wire.ErrTruncated},
		{"half a TLV head", headerOf([]byte{0, 16, 0}), wire.ErrTLV},
		{"TLV past its section", headerOf([]byte{0, 16, 0, 5, 1, 2, 3, 4}), wire.ErrTLV},
		{"unknown TLV past its section", headerOf([]byte{0x70, 0, 0, 1}), wire.ErrTLV},
	} {
		var h wire.Header
		if got := wire.ParseHeader(row.in, &h); !errors.Is(got, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
	}
}

// TestPayloadLengthExact: a payload section that ends with the packet is good.
func TestPayloadLengthExact(t *testing.T) {
	b := append(headerOf(nil), tlv(wire.TypeSYN)...)
	wire.SetPayloadLen(b, 4)
	var h wire.Header
	if err := wire.ParseHeader(b, &h); err != nil || h.Len != 12 || h.PayloadLen != 4 {
		t.Errorf("got %+v, %v", h, err)
	}
}

func TestHeaderSections(t *testing.T) {
	section := slices.Concat(
		tlv(0x7000, 1, 2, 3), // unknown: skipped
		tlv(wire.TypeSecurityID, 0, 0, 0, 1),
		tlv(wire.TypeTenant, 'x'),   // payload section
		tlv(wire.TypeKey, 1, 2),     // payload form of 46
		tlv(wire.TypeHealthCheck),   // no form of 46
		tlv(wire.TypeChallenge, 9),  // payload section, its length is nobody's business
		tlv(0),                      // unknown
		tlv(9, 1),                   // unknown
		tlv(0x8000), tlv(0x8004, 5), // unknown
		tlv(wire.TypeSecurityID, 0, 0, 0, 2), // again
		tlv(wire.TypeHealthCheck, 2),
		tlv(wire.TypeHealthCheck, 1), // again
	)
	var h wire.Header
	if err := wire.ParseHeader(headerOf(section), &h); err != nil {
		t.Fatal(err)
	}
	if h.SecurityID != 1 || h.HealthCheck != wire.HealthTimeout {
		t.Errorf("first does not win: %+v", h)
	}
	checkSet(t, "has", h.Has, wire.SetOf(wire.TypeSecurityID, wire.TypeHealthCheck))
	checkSet(t, "misplaced", h.Misplaced, wire.SetOf(wire.TypeTenant, wire.TypeKey, wire.TypeChallenge))
	checkSet(t, "repeated", h.Repeated, wire.SetOf(wire.TypeSecurityID, wire.TypeHealthCheck))
}

func checkSet(t *testing.T, what string, got, want wire.Set) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestPayloadSections(t *testing.T) {
	ctx := bytes.Repeat([]byte{7}, 13)
	section := slices.Concat(
		tlv(wire.TypeSecurityID, 1), // header section
		tlv(wire.TypeKey, 1),        // header form of 46
		tlv(wire.TypeBFDSteady),     // header section
		tlv(0x7fff, 1),              // unknown
		tlv(wire.TypeReverseIPv4, ctx...),
		tlv(wire.TypeForwardIPv4, ctx...), // a second context
		tlv(wire.TypeTenant, 'a'),
		tlv(wire.TypeTenant, 'b'), // again
		tlv(wire.TypeKey, 1, 2),
	)
	var p wire.Payload
	if err := wire.ParsePayload(section, &p); err != nil {
		t.Fatal(err)
	}
	if !p.Reverse || p.Forward || string(p.Tenant) != "a" || len(p.Key) != 2 {
		t.Errorf("got %+v", p)
	}
	checkSet(t, "has", p.Has, wire.SetOf(wire.TypeReverseIPv4, wire.TypeTenant, wire.TypeKey))
	checkSet(t, "misplaced", p.Misplaced,
		wire.SetOf(wire.TypeSecurityID, wire.TypeHealthCheck, wire.TypeBFDSteady))
	checkSet(t, "repeated", p.Repeated, wire.SetOf(wire.TypeForwardIPv4, wire.TypeTenant))
}

func TestParsePayloadRejects(t *testing.T) {
	multicast := make([]byte, 11)
	for _, row := range []struct {
		name string
		in   []byte
	}{
		{"one byte", []byte{0}},
		{"half a TLV head", append(tlv(wire.TypeSYN), 0, 7, 0)},
		{"value past the end", []byte{0, 7, 0, 2, 'a'}},
		{"unknown past the end", []byte{0x70, 0, 0xff, 0xff}},
		{"context of 12", tlv(wire.TypeForwardIPv4, make([]byte, 12)...)},
		{"IPv6 context of 13", tlv(wire.TypeForwardIPv6, make([]byte, 13)...)},
		{"UUID of 15", tlv(wire.TypeUUID, make([]byte, 15)...)},
		{"flag with a value", tlv(wire.TypeEncrypted, 1)},
		{"tenant of 256", tlv(wire.TypeTenant, make([]byte, 256)...)},
		{"pathway of 129", tlv(wire.TypePathway, make([]byte, 129)...)},
		{"empty key", tlv(wire.TypeKey)},
		{"key of 65", tlv(wire.TypeKey, make([]byte, 65)...)},
		{"multicast family 0", tlv(wire.TypeMulticast, multicast...)},
		{"egress count without names", tlv(wire.TypeEgress, 0, 1)},
		{"egress name cut", tlv(wire.TypeEgress, 0, 1, 2, 'a')},
		{"egress names left over", tlv(wire.TypeEgress, 0, 1, 1, 'a', 0)},
		{"wrong length the second time", append(tlv(wire.TypeSYN), tlv(wire.TypeSYN, 1)...)},
	} {
		var p wire.Payload
		if got := wire.ParsePayload(row.in, &p); !errors.Is(got, wire.ErrTLV) {
			t.Errorf("%s: got %v, want %v", row.name, got, wire.ErrTLV)
		}
	}
}

// TestCut: no vector, cut anywhere, does harm.
func TestCut(t *testing.T) {
	for name, v := range vectors(t) {
		for n := range len(v.Payload) {
			var h wire.Header
			var p wire.Payload
			var f wire.Frame
			if wire.ParseHeader(v.Payload[:n], &h) == nil && h.Len+h.PayloadLen > n {
				t.Errorf("%s cut at %d: sections of %d+%d", name, n, h.Len, h.PayloadLen)
			}
			_ = wire.ParsePayload(v.Payload[:n], &p)
			_ = wire.ParseFrame(v.Payload[:n], &f)
		}
	}
}

// fullHeader and fullPayload hold every TLV of their section at its longest.
func fullHeader() (h wire.Header) {
	h.SetSecurityID(1 << 31)
	h.SetControl(wire.ControlHealth)
	h.SetDisableForward()
	h.SetFragment(wire.Fragment{ID: 1, OrigID: 2, DF: true, Offset: wire.MaxFragmentOffset, Largest: 65535})
	h.SetMetrics(wire.PathMetrics{TxColour: 15, TxTime: 1<<28 - 1, RxColour: 8, RxTime: 1, Drop: true, Count: 0x7fff})
	h.SetHealthCheck(wire.HealthRequest)
	h.SetICMPIPv4([4]byte{192, 0, 2, 1})
	h.SetICMPIPv6([16]byte{0xfd, 15: 1})
	h.SetSteady(wire.Steady{Counter: 1, Echo: 2, Held: wire.HeldLong, Flags: 3})
	return h
}

func fullPayload() (p wire.Payload) {
	name := bytes.Repeat([]byte{'n'}, wire.MaxName)
	p.SetForward(flow6)
	p.SetUUID(uuid)
	p.SetTenant(name)
	p.SetService(name)
	p.SetRouter(name)
	p.SetPolicy(name)
	p.SetPathway(name[:wire.MaxPathway])
	p.SetEncrypted()
	p.SetSYN()
	p.SetKey(name[:wire.MaxKey])
	p.SetChallenge([8]byte{1})
	p.InterfaceID, p.Sessions, p.SourceNAT = 1, 2, [4]byte{3}
	p.DestRouter, p.Application, p.Remaining = name, name, 4
	p.Modify = 0x8123
	p.Multicast = wire.Multicast{Family: 6, Flags: 1, Source: flow6.Src, Group: [16]byte{0xff}, Proto: 17}
	p.Egress = append([]byte{0, 4}, bytes.Repeat(append([]byte{254}, name[:254]...), 4)...)
	p.Has |= wire.SetOf(wire.TypeInterfaceID, wire.TypeSessions, wire.TypeSourceNAT,
		wire.TypeDestRouter, wire.TypeApplication, wire.TypeRemaining, wire.TypeModify,
		wire.TypeMulticast, wire.TypeEgress)
	p.SetMessage(make([]byte, wire.MaxMessage))
	return p
}

func TestFullRoundTrip(t *testing.T) {
	h, p := fullHeader(), fullPayload()
	b := wire.AppendMetadata(nil, &h, &p)
	if got, want := h.Len, wire.MaxHeader; got != want || h.Size() != want {
		t.Errorf("header: got %d bytes, want %d", got, want)
	}
	// The egress list ends two bytes before its bound.
	if got, want := h.PayloadLen, wire.MaxPayload-2; got != want || p.Size() != want {
		t.Errorf("payload section: got %d bytes, want %d", got, want)
	}
	var gotH wire.Header
	var gotP wire.Payload
	if err := wire.ParseHeader(b, &gotH); err != nil {
		t.Fatal(err)
	}
	if err := wire.ParsePayload(b[h.Len:], &gotP); err != nil {
		t.Fatal(err)
	}
	if gotH != h {
		t.Errorf("header:\n got %+v\nwant %+v", gotH, h)
	}
	if !reflect.DeepEqual(gotP, p) {
		t.Errorf("payload:\n got %+v\nwant %+v", gotP, p)
	}
}

// TestSessionBound: what sessions send fits MaxSession, to the byte.
func TestSessionBound(t *testing.T) {
	p := fullPayload()
	p.Has &^= wire.SetOf(wire.TypeInterfaceID, wire.TypeSessions, wire.TypeSourceNAT,
		wire.TypeDestRouter, wire.TypeApplication, wire.TypeRemaining, wire.TypeModify,
		wire.TypeMulticast, wire.TypeEgress, wire.TypeBFDMessage)
	if got, want := len(wire.AppendPayload(nil, &p)), wire.MaxSession; got != want {
		t.Errorf("got %d bytes, want %d", got, want)
	}
}

// TestCutNames: what is too long is cut or left out, and Size knows.
func TestCutNames(t *testing.T) {
	long := bytes.Repeat([]byte{'n'}, 1<<16)
	var p wire.Payload
	p.SetTenant(long)
	p.SetPathway(long)
	p.SetKey(long)
	p.SetMessage(long)
	p.Egress = long
	p.Has.Add(wire.TypeEgress)
	b := wire.AppendPayload(nil, &p)
	if got, want := p.Size(), len(b); got != want {
		t.Errorf("size: got %d, want %d", got, want)
	}
	if err := wire.ParsePayload(b, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Tenant) != wire.MaxName || len(p.Pathway) != wire.MaxPathway || len(p.Key) != wire.MaxKey {
		t.Errorf("got %d, %d, %d bytes", len(p.Tenant), len(p.Pathway), len(p.Key))
	}
	checkSet(t, "has", p.Has, wire.SetOf(wire.TypeTenant, wire.TypePathway, wire.TypeKey))
}

func TestEgressList(t *testing.T) {
	var names []string
	list := wire.EgressList("\x00\x03\x01a\x00\x02bc")
	for name := range list.All() {
		names = append(names, string(name))
	}
	if want := []string{"a", "", "bc"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	for range wire.EgressList("\x00\x01").All() {
		t.Error("a broken list yields names")
	}
	for range list.All() {
		break
	}
}

// TestContextAgain: setting a context twice leaves one.
func TestContextAgain(t *testing.T) {
	var p wire.Payload
	p.SetForward(flow6)
	p.SetReverse(flow.Reverse())
	if p.Forward || !p.Reverse || p.Context != (packet.Tuple)(flow.Reverse()) {
		t.Errorf("got %+v", p)
	}
	checkSet(t, "has", p.Has, wire.SetOf(wire.TypeReverseIPv4))
}
