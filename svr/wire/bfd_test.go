package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"waymark/svr/wire"
)

func TestBFDRoundTrip(t *testing.T) {
	sha1 := bfdUp
	sha1.AuthType, sha1.AuthKeyID, sha1.AuthSeq = wire.BFDAuthMeticulousSHA1, 3, 1<<31
	sha1.AuthDigest = [20]byte{1, 19: 2}
	for _, want := range []wire.BFD{
		bfdUp, sha1,
		{State: wire.BFDDown, Diag: 31, Multiplier: 255, MyDisc: 1, Poll: true},
		{State: wire.BFDAdminDown, Multiplier: 1, MyDisc: 1, Final: true, Demand: true},
		{State: wire.BFDInit, Multiplier: 1, MyDisc: 1, YourDisc: 1<<32 - 1},
	} {
		b := wire.AppendBFD(nil, &want)
		var got wire.BFD
		n, err := wire.ParseBFD(append(b, 0xff), &got)
		if err != nil || n != len(b) || got != want {
			t.Errorf("got %+v, %d, %v\nwant %+v, %d", got, n, err, want, len(b))
		}
		var f wire.Frame
		if err := wire.ParseFrame(b, &f); err != nil || f.Form != wire.FormPlain || f.BFD != want {
			t.Errorf("frame: got %+v, %v", f, err)
		}
	}
}

func TestBFDRejects(t *testing.T) {
	auth := bfdUp
	auth.AuthType = wire.BFDAuthKeyedSHA1
	plain, signed := wire.AppendBFD(nil, &bfdUp), wire.AppendBFD(nil, &auth)
	set := func(b []byte, i int, v byte) []byte {
		b = bytes.Clone(b)
		b[i] = v
		return b
	}
	zero := func(b []byte, from, to int) []byte {
		b = bytes.Clone(b)
		clear(b[from:to])
		return b
	}
	for _, row := range []struct {
		name string
		in   []byte
	}{
		{"nothing", nil},
		{"23 bytes", plain[:23]},
		{"version 0", set(plain, 0, 0x00)},
		{"version 2", set(plain, 0, 0x40)},
		{"multipoint", set(plain, 1, plain[1]|1)},
		{"length 0", set(plain, 3, 0)},
		{"length 23", set(plain, 3, 23)},
		{"length past the end", set(plain, 3, 25)},
		{"multiplier 0", set(plain, 2, 0)},
		{"my discriminator 0", zero(plain, 4, 8)},
		{"your discriminator 0 while up", zero(plain, 8, 12)},
		{"authentication bit alone", set(plain, 1, plain[1]|4)},
		{"authentication without its bit", set(signed, 1, signed[1]&^4)},
		{"authentication cut", set(signed[:51], 3, 51)},
		{"simple password", set(signed, 24, 1)},
		{"authentication length", set(signed, 25, 27)},
	} {
		var p wire.BFD
		if _, err := wire.ParseBFD(row.in, &p); !errors.Is(err, wire.ErrBFD) {
			t.Errorf("%s: got %v, want %v", row.name, err, wire.ErrBFD)
		}
	}
}

func TestFrameRejects(t *testing.T) {
	steady := vectors(t)["bfd-steady"].Payload
	full := vectors(t)["bfd-full"].Payload
	plain := wire.AppendBFD(nil, &bfdUp)
	digest := make([]byte, wire.BFDDigest)
	empty := append(wire.AppendFalsePositive(bytes.Clone(plain)), digest...)
	both := wire.AppendSteady(nil, &bfdUp, wire.Steady{})
	wire.SetPayloadLen(both[wire.BFDSize:], 4)
	both = append(append(both, tlv(wire.TypeSYN)...), digest...)
	for _, row := range []struct {
		name string
		in   []byte
		want error
	}{
		{"one byte behind BFD", append(bytes.Clone(plain), 0), wire.ErrBFD},
		{"no room for a digest", steady[:wire.BFDSize+wire.HeaderSize+wire.BFDDigest-1], wire.ErrBFD},
		{"metadata cut", steady[:len(steady)-1], wire.ErrTruncated},
		{"section cut", full[:len(full)-1], wire.ErrTruncated},
		{"no cookie", append(bytes.Clone(plain), make([]byte, 40)...), wire.ErrNoCookie},
		{"neither form", empty, wire.ErrBFD},
		{"both forms", both, wire.ErrBFD},
	} {
		var f wire.Frame
		if got := wire.ParseFrame(row.in, &f); !errors.Is(got, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
	}
}

// TestFramePadding: bytes between metadata and digest are told apart.
func TestFramePadding(t *testing.T) {
	b := wire.AppendSteady(nil, &bfdUp, wire.Steady{Counter: 1})
	b = append(b, make([]byte, 100)...)
	b = append(b, bytes.Repeat([]byte{9}, wire.BFDDigest)...)
	var f wire.Frame
	if err := wire.ParseFrame(b, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Padding) != 100 || len(f.Signed) != len(b)-16 || f.Digest[0] != 9 {
		t.Errorf("got %d padding, %d signed, digest %x", len(f.Padding), len(f.Signed), f.Digest)
	}
}
