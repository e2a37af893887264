package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"

	"waymark/svr/wire"
)

// golden says what a vector with metadata means, and how it is protected.
type golden struct {
	fill func(h *wire.Header, p *wire.Payload)
	tail string // data in hex where the vector does not name it

	seal   func(v vector, b []byte) []byte // metadata, nil: clear
	open   func(t *testing.T, v vector, b []byte) []byte
	encode func(v vector, b []byte) []byte // data, nil: clear
	decode func(t *testing.T, v vector, b []byte) []byte
	sign   func(v vector, b []byte) []byte // digest, nil: none
	digest int
}

const dnsQuery = "beef0100000100000000000006776179706f727404746573740000010001"

func securityOnly(h *wire.Header, _ *wire.Payload) { h.SetSecurityID(securityID) }

var goldens = map[string]golden{
	"forward-clear": {fill: forward},
	"reverse-clear": {tail: dnsQuery, fill: func(h *wire.Header, p *wire.Payload) {
		securityOnly(h, p)
		p.SetReverse(flow.Reverse())
		p.SetPathway(pathway)
	}},
	"forward-v6-tcp-syn-over-udp": {fill: func(h *wire.Header, p *wire.Payload) {
		session(h, p, flow6)
		p.SetSYN()
	}},
	"forward-icmp-echo": {fill: func(h *wire.Header, p *wire.Payload) { session(h, p, echo) }},
	"control-keep-alive": {fill: func(h *wire.Header, p *wire.Payload) {
		wire.KeepAlive(h, p, securityID)
	}},
	"control-enable-metadata": {fill: func(h *wire.Header, p *wire.Payload) {
		wire.Enable(h, p, securityID)
	}},
	"control-delete-session": {fill: func(h *wire.Header, p *wire.Payload) {
		wire.Delete(h, p, securityID, uuid, flow, true)
	}},
	"control-disable-metadata": {fill: func(h *wire.Header, p *wire.Payload) {
		wire.Disable(h, p, securityID, uuid, flow.Reverse())
	}},
	"challenge": {fill: func(h *wire.Header, p *wire.Payload) {
		wire.Challenge(h, p, securityID, uuid, flow.Reverse(), [8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	}},
	"fragment": {tail: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		fill: func(h *wire.Header, _ *wire.Payload) {
			h.SetFragment(wire.Fragment{ID: 1, OrigID: 0x1234, MF: true, Largest: 1480})
		}},
	"path-metrics": {tail: dnsQuery, fill: func(h *wire.Header, p *wire.Payload) {
		securityOnly(h, p)
		h.SetMetrics(wire.PathMetrics{TxColour: 1, TxTime: 100, RxTime: 200, Count: 10})
	}},
	"forward-cbc256-hmac-time": {fill: forward, seal: sealMeta, open: openMeta,
		sign: signTick, digest: 16},
	"forward-cbc-payload-too": {fill: forwardEncrypted, seal: sealMeta, open: openMeta,
		encode: encodeCBC, decode: decodeCBC, sign: signRegular, digest: 16},
	"forward-gcm-payload": {seal: sealMeta, open: openMeta, encode: encodeGCM,
		decode: decodeGCM, sign: signRegular, digest: 16,
		fill: func(h *wire.Header, p *wire.Payload) {
			forwardEncrypted(h, p)
			p.SetKey([]byte("@ABCDEFGHIJKLMNO"))
		}},
	"fragment-signed": {sign: signRegular, digest: 16, tail: counting(64),
		fill: func(h *wire.Header, p *wire.Payload) {
			securityOnly(h, p)
			h.SetFragment(wire.Fragment{ID: 9, OrigID: 0x1234, MF: true, Largest: 1480})
		}},
}

func counting(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return hex.EncodeToString(b)
}

func forwardEncrypted(h *wire.Header, p *wire.Payload) {
	forward(h, p)
	p.SetEncrypted()
}

// data returns what the packet carries behind its metadata, in the clear.
func (g golden) data(t *testing.T, v vector) []byte {
	if v.Data != nil {
		return v.Data
	}
	b, err := hex.DecodeString(g.tail)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenAppend(t *testing.T) {
	all := vectors(t)
	for name, g := range goldens {
		t.Run(name, func(t *testing.T) {
			v := all[name]
			var h wire.Header
			var p wire.Payload
			g.fill(&h, &p)
			section := wire.AppendPayload(nil, &p)
			checkSection(t, v, section)
			if got, want := p.Size(), len(section); got != want {
				t.Errorf("payload size: got %d, want %d", got, want)
			}
			if g.seal != nil {
				section = g.seal(v, section)
			}
			got := wire.AppendHeader(nil, &h)
			if size := h.Size(); size != len(got) || size != h.Len {
				t.Errorf("header size: got %d and %d, want %d", size, h.Len, len(got))
			}
			wire.SetPayloadLen(got, len(section))
			got = append(append(got, section...), g.encoded(t, v)...)
			if g.sign != nil {
				got = append(got, g.sign(v, got)...)
			}
			if !bytes.Equal(got, v.Payload) {
				t.Errorf("append:\n got %x\nwant %x", got, []byte(v.Payload))
			}
		})
	}
}

func (g golden) encoded(t *testing.T, v vector) []byte {
	if g.encode == nil {
		return g.data(t, v)
	}
	return g.encode(v, g.data(t, v))
}

func checkSection(t *testing.T, v vector, section []byte) {
	t.Helper()
	for _, want := range [][]byte{v.PayloadTLVs, v.PlainTLVs} {
		if want != nil && !bytes.Equal(section, want) {
			t.Errorf("section:\n got %x\nwant %x", section, want)
		}
	}
}

func TestGoldenParse(t *testing.T) {
	all := vectors(t)
	for name, g := range goldens {
		t.Run(name, func(t *testing.T) {
			v := all[name]
			body := v.Payload[:len(v.Payload)-g.digest]
			if g.sign != nil && !bytes.Equal(g.sign(v, body), v.Payload[len(body):]) {
				t.Fatal("digest differs")
			}
			var got, want wire.Header
			var gotP, wantP wire.Payload
			if err := wire.ParseHeader(body, &got); err != nil {
				t.Fatal(err)
			}
			g.fill(&want, &wantP)
			if v.HeaderTLVs != nil && !bytes.Equal(body[wire.HeaderSize:got.Len], v.HeaderTLVs) {
				t.Error("header section is not where the vector has it")
			}
			section := []byte(body[got.Len : got.Len+got.PayloadLen])
			data := []byte(body[got.Len+got.PayloadLen:])
			want.Len, want.PayloadLen = want.Size(), len(section)
			if g.open != nil {
				section = g.open(t, v, section)
			}
			checkSection(t, v, section)
			if err := wire.ParsePayload(section, &gotP); err != nil {
				t.Fatal(err)
			}
			if g.decode != nil {
				data = g.decode(t, v, data)
			}
			if got != want {
				t.Errorf("header:\n got %+v\nwant %+v", got, want)
			}
			if !reflect.DeepEqual(gotP, wantP) {
				t.Errorf("payload:\n got %+v\nwant %+v", gotP, wantP)
			}
			if !bytes.Equal(data, g.data(t, v)) {
				t.Errorf("data: got %x", data)
			}
		})
	}
}

// bareVectors carry no metadata: nothing for this codec but to say so.
var bareVectors = map[string]func(v vector, data []byte) []byte{
	"established-tcp-over-udp":    nil,
	"empty-established":           nil,
	"fastlane-digest-sha1":        appendSHA1,
	"fastlane-digest-sha256":      appendSHA256,
	"fastlane-digest-sha256-128":  appendSHA256Short,
	"data-gcm256-first":           encodeGCM,
	"data-gcm256-second":          encodeGCM,
	"data-gcm256-other-direction": encodeGCM,
	"data-gcm128-first":           encodeGCM,
}

func TestGoldenBare(t *testing.T) {
	all := vectors(t)
	for name, protect := range bareVectors {
		v := all[name]
		want := []byte(v.Data)
		if protect != nil {
			want = protect(v, want)
		}
		if !bytes.Equal(v.Payload, want) {
			t.Errorf("%s: got %x, want %x", name, want, []byte(v.Payload))
		}
		var h wire.Header
		if err := wire.ParseHeader(v.Payload, &h); !errors.Is(err, wire.ErrNoCookie) {
			t.Errorf("%s: got %v, want %v", name, err, wire.ErrNoCookie)
		}
		if wire.HasCookie(v.Payload) || wire.FalsePositive(v.Payload) {
			t.Errorf("%s: taken for metadata", name)
		}
	}
}

func TestGoldenFalsePositive(t *testing.T) {
	v := vectors(t)["false-positive"]
	if !wire.HasCookie(v.Data) || wire.FalsePositive(v.Data) {
		t.Error("bare payload: cookie not seen or header seen")
	}
	got := append(wire.AppendFalsePositive(nil), v.Data...)
	if !bytes.Equal(got, v.Payload) {
		t.Errorf("append: got %x, want %x", got, []byte(v.Payload))
	}
	if !wire.FalsePositive(got) || wire.FalsePositive(got[:wire.HeaderSize-1]) {
		t.Error("header not recognised, or recognised when cut")
	}
	var h wire.Header
	if err := wire.ParseHeader(got, &h); err != nil || h.Len != 12 || h.PayloadLen != 0 || h.Has != 0 {
		t.Errorf("parse: got %+v, %v", h, err)
	}
}

var brokenVectors = map[string]error{
	"truncated":        wire.ErrTruncated,
	"header-too-short": wire.ErrHeaderLength,
	"tlv-overrun":      wire.ErrTLV,
}

func TestGoldenBroken(t *testing.T) {
	all := vectors(t)
	for name, want := range brokenVectors {
		v := all[name]
		var h wire.Header
		var p wire.Payload
		got := wire.ParseHeader(v.Payload, &h)
		if got == nil {
			got = wire.ParsePayload(v.Payload[h.Len:h.Len+h.PayloadLen], &p)
		}
		if v.Expect != "error" || !errors.Is(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// TestGoldenComplete fails when a vector is added that no test looks at.
func TestGoldenComplete(t *testing.T) {
	known := map[string]bool{"false-positive": true, "bfd-key": true, "bfd-steady": true, "bfd-full": true}
	for name := range goldens {
		known[name] = true
	}
	for name := range bareVectors {
		known[name] = true
	}
	for name := range brokenVectors {
		known[name] = true
	}
	all := vectors(t)
	for name := range all {
		if !known[name] {
			t.Errorf("vector %q is not tested", name)
		}
	}
	if got, want := len(known), len(all); got != want {
		t.Errorf("got %d tested vectors, want %d", got, want)
	}
}
