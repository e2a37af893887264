package wire_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"net/netip"
	"reflect"
	"testing"

	"waymark/svr/wire"
)

var bfdUp = wire.BFD{
	State: wire.BFDUp, CPI: true, Multiplier: 3,
	MyDisc: 0x0a0b0c0d, YourDisc: 0x1a1b1c1d,
	MinTx: 1000000, MinRx: 1000000, MinEcho: 1000000,
}

func TestGoldenBFDKey(t *testing.T) {
	v := vectors(t)["bfd-key"]
	got, err := hkdf.Key(sha256.New, v.HMACKey, nil, "waymark 1 bfd", 32)
	if err != nil || !bytes.Equal(got, v.Key) || len(v.Payload) != 0 {
		t.Errorf("got %x, %v, want %x", got, err, []byte(v.Key))
	}
}

func TestGoldenBFDSteady(t *testing.T) {
	v := vectors(t)["bfd-steady"]
	want := wire.Steady{Counter: 77, Echo: 76, Held: 12}
	got := wire.AppendSteady(nil, &bfdUp, want)
	got = append(got, hmac256(v.Key, got, v.SenderEpoch, v.ReceiverEpoch)[:wire.BFDDigest]...)
	if !bytes.Equal(got, v.Payload) {
		t.Errorf("append:\n got %x\nwant %x", got, []byte(v.Payload))
	}
	if got, want := 20+8+len(got), 96; got != want {
		t.Errorf("IP packet: got %d bytes, want %d", got, want)
	}
	var f wire.Frame
	if err := wire.ParseFrame(v.Payload, &f); err != nil {
		t.Fatal(err)
	}
	if f.BFD != bfdUp || f.Form != wire.FormSteady || f.Header.Steady != want ||
		len(f.Section) != 0 || len(f.Padding) != 0 {
		t.Errorf("parse: got %+v", f)
	}
	if digest := hmac256(v.Key, f.Signed, v.SenderEpoch, v.ReceiverEpoch)[:16]; !bytes.Equal(digest, f.Digest) {
		t.Errorf("digest: got %x, want %x", f.Digest, digest)
	}
}

func bfdMessage() wire.Message {
	m := wire.Message{
		Router: []byte("branch1"), Node: []byte("node1"), Path: pathway,
		Epoch:   wire.Epoch{0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8},
		Counter: 1, Address: netip.MustParseAddrPort("198.51.100.2:1280"), Sent: 123456,
		Echo: wire.Echo{Epoch: wire.Epoch{0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8},
			Counter: 9, Sent: 654321},
		Held: 250, Unix: 1779000000000,
	}
	m.Has.Add(wire.FieldRouter, wire.FieldNode, wire.FieldPath, wire.FieldEpoch,
		wire.FieldCounter, wire.FieldAddress, wire.FieldSent, wire.FieldEcho,
		wire.FieldHeld, wire.FieldUnix)
	return m
}

func TestGoldenBFDFull(t *testing.T) {
	v := vectors(t)["bfd-full"]
	want := bfdMessage()
	var p wire.Payload
	p.SetMessage(wire.AppendMessage(nil, &want))
	section := wire.AppendPayload(nil, &p)
	checkSection(t, v, section)
	got := wire.AppendFull(nil, &bfdUp, sealMeta(v, section))
	got = append(got, hmac256(v.Key, got)[:wire.BFDDigest]...)
	if !bytes.Equal(got, v.Payload) {
		t.Errorf("append:\n got %x\nwant %x", got, []byte(v.Payload))
	}
	var f wire.Frame
	if err := wire.ParseFrame(v.Payload, &f); err != nil {
		t.Fatal(err)
	}
	if f.BFD != bfdUp || f.Form != wire.FormFull || len(f.Padding) != 0 {
		t.Errorf("parse: got %+v", f)
	}
	if digest := hmac256(v.Key, f.Signed)[:16]; !bytes.Equal(digest, f.Digest) {
		t.Errorf("digest: got %x, want %x", f.Digest, digest)
	}
	section = openMeta(t, v, f.Section)
	checkSection(t, v, section)
	if err := wire.ParsePayload(section, &p); err != nil {
		t.Fatal(err)
	}
	var m wire.Message
	if err := wire.ParseMessage(p.Message, &m); err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("message: got %+v, %v\nwant %+v", m, err, want)
	}
}
