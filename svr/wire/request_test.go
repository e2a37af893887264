package wire_test

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/wire"
)

func sampleRequest(src, dst string) wire.Request {
	return wire.Request{ID: 300, Tenant: []byte("corp"), Service: []byte("branch-lan"), Policy: []byte("internal"),
		UUID: [16]byte{1, 2, 3, 15: 16}, Encrypted: true,
		Context: packet.MakeTuple(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), packet.ProtoTCP)}
}

func TestRequestRoundTrip(t *testing.T) {
	for _, want := range []wire.Request{
		sampleRequest("10.20.0.5:40000", "192.168.1.10:22"), sampleRequest("[fd00:20::5]:40000", "[fd00:1::10]:22"),
	} {
		b, ok := wire.AppendRequest(nil, &want)
		var got wire.Request
		if err := wire.ParseRequest(b, &got); err != nil || !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
		for n := range b { // cut anywhere, it is no request
			if wire.ParseRequest(b[:n], &got) == nil && n < len(b)-12 {
				t.Errorf("%d of %d bytes are a request", n, len(b))
			}
		}
	}
}

// The bytes as the wire has them.
func TestRequestBytes(t *testing.T) {
	r := sampleRequest("10.20.0.5:40000", "192.168.1.10:22")
	b, _ := wire.AppendRequest(nil, &r)
	want := strings.ReplaceAll("08ac02 120d 0a140005 c0a8010a 9c40 0016 06 1a04 636f7270 220a 6272616e63682d6c616e "+
		"2a10 01020300000000000000000000000010 3208 696e7465726e616c 3801", " ", "")
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRequestRefuses(t *testing.T) {
	r := sampleRequest("10.20.0.5:40000", "192.168.1.10:22")
	good, _ := wire.AppendRequest(nil, &r)
	for name, b := range map[string][]byte{
		"empty": nil, "id twice": append(append([]byte{}, good...), 0x08, 1), "id as bytes": {0x0a, 1, 1},
		"short context": bytes.Replace(good, []byte{0x12, 13}, []byte{0x12, 12}, 1),
		"flag of 2":     append(append([]byte{}, good[:len(good)-1]...), 2),
		"long id":       append([]byte{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, good[3:]...),
	} {
		if err := wire.ParseRequest(b, new(wire.Request)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	long := r
	long.Service, long.Tenant = bytes.Repeat([]byte{'s'}, 255), bytes.Repeat([]byte{'t'}, 255)
	if b, ok := wire.AppendRequest([]byte{7}, &long); ok || len(b) != 1 {
		t.Errorf("a request of %d bytes was written", len(b))
	}
}

// FuzzRequest: what parses is written again as it was read.
func FuzzRequest(f *testing.F) {
	for _, r := range []wire.Request{sampleRequest("10.20.0.5:1", "192.168.1.10:22"), sampleRequest("[fd00::5]:1", "[fd00::1]:22")} {
		b, _ := wire.AppendRequest(nil, &r)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again wire.Request
		if wire.ParseRequest(b, &r) != nil {
			return
		}
		out, ok := wire.AppendRequest(nil, &r)
		if !ok {
			return
		}
		if err := wire.ParseRequest(out, &again); err != nil {
			t.Fatalf("%x: %v", out, err)
		}
		if again.ID != r.ID || again.Context != r.Context || again.UUID != r.UUID || !bytes.Equal(again.Service, r.Service) {
			t.Errorf("got %+v, want %+v", again, r)
		}
	})
}
