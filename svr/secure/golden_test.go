package secure_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"waymark/svr/secure"
)

const headerBytes = 12 + 8 // metadata header and TLV 16 of the vectors

func mustPolicy(t testing.TB, cfg secure.Config) *secure.Policy {
	t.Helper()
	p, err := secure.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// metadataPolicy is the inter-router policy of a vector.
func metadataPolicy(t testing.TB, v vector, mode secure.Mode) *secure.Policy {
	return mustPolicy(t, secure.Config{
		Name: "internal", Encrypt: v.MetadataKey != "", Cipher: secure.CBC256, Key: unhex(t, v.MetadataKey),
		Mode: mode, Digest: secure.DigestSHA256128, HMACKey: unhex(t, v.HMACKey),
	})
}

// sealData encrypts the data of a vector the way its name says.
func sealData(t *testing.T, v vector, data []byte) []byte {
	t.Helper()
	buf := room(data, 64)
	switch {
	case v.PayloadKey != "":
		p := mustPolicy(t, secure.Config{Encrypt: true, Cipher: secure.CBC128, Key: unhex(t, v.PayloadKey)})
		iv := [16]byte(unhex(t, v.PayloadIV))
		return p.EncryptCBC(buf, len(buf), &iv)
	case v.ServiceKey != "":
		g, err := secure.NewGCM(unhex(t, v.ServiceKey), unhex(t, v.TLV46))
		if err != nil {
			t.Fatal(err)
		}
		out, err := g.Seal(buf, len(buf))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	return buf
}

// openData is the reverse of sealData.
func openData(t *testing.T, v vector, data []byte) []byte {
	t.Helper()
	var out []byte
	var err error
	switch {
	case v.PayloadKey != "":
		p := mustPolicy(t, secure.Config{Encrypt: true, Cipher: secure.CBC128, Key: unhex(t, v.PayloadKey)})
		out, err = p.DecryptCBC(data)
	case v.ServiceKey != "":
		p := mustPolicy(t, secure.Config{Encrypt: true, Cipher: secure.GCM256, Key: unhex(t, v.ServiceKey)})
		out, err = sessionKey(t, p, unhex(t, v.TLV46)).Open(data)
	default:
		out = data
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var metadataVectors = []struct {
	name string
	mode secure.Mode
}{
	{"forward-cbc256-hmac-time", secure.ModeTimeBased},
	{"forward-cbc-payload-too", secure.ModeRegular},
	{"forward-gcm-payload", secure.ModeRegular},
}

// TestGoldenMetadataSeal builds each vector from its header and plaintexts.
func TestGoldenMetadataSeal(t *testing.T) {
	for _, tc := range metadataVectors {
		t.Run(tc.name, func(t *testing.T) {
			v := golden(t, tc.name)
			p := metadataPolicy(t, v, tc.mode)
			want := unhex(t, v.L4)
			iv := [16]byte(unhex(t, v.IV+v.MetadataIV))
			block := room(unhex(t, v.Plain), secure.CBCOverhead)
			block = p.EncryptCBC(block, len(block), &iv)
			got := append(room(want[:headerBytes], 1000), block...)
			got = append(got, sealData(t, v, unhex(t, v.Data))...)
			got = p.AppendDigest(got, got, v.Unix)
			if !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
		})
	}
}

// TestGoldenMetadataOpen takes each vector apart again.
func TestGoldenMetadataOpen(t *testing.T) {
	for _, tc := range metadataVectors {
		t.Run(tc.name, func(t *testing.T) {
			v := golden(t, tc.name)
			p := metadataPolicy(t, v, tc.mode)
			b := unhex(t, v.L4)
			msg := b[:len(b)-p.DigestSize()]
			if got := p.Verify(msg, b[len(msg):], v.Unix); got != secure.Good {
				t.Fatalf("verdict %v, want good", got)
			}
			end := headerBytes + int(binary.BigEndian.Uint16(b[10:]))
			plain, err := p.DecryptCBC(b[headerBytes:end])
			if err != nil || !bytes.Equal(plain, unhex(t, v.Plain)) {
				t.Errorf("metadata %x, %v, want %s", plain, err, v.Plain)
			}
			if got := openData(t, v, msg[end:]); !bytes.Equal(got, unhex(t, v.Data)) {
				t.Errorf("data %x, want %s", got, v.Data)
			}
		})
	}
}

// TestGoldenDigest signs and verifies the vectors that only carry a digest.
func TestGoldenDigest(t *testing.T) {
	for _, tc := range []struct {
		name   string
		digest secure.Digest
	}{
		{"fastlane-digest-sha1", secure.DigestSHA1},
		{"fastlane-digest-sha256", secure.DigestSHA256},
		{"fastlane-digest-sha256-128", secure.DigestSHA256128},
		{"fragment-signed", secure.DigestSHA256128},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := golden(t, tc.name)
			p := mustPolicy(t, secure.Config{Mode: secure.ModeRegular, Digest: tc.digest, HMACKey: unhex(t, v.HMACKey)})
			want := unhex(t, v.L4)
			msg := want[:len(want)-p.DigestSize()]
			if v.Data != "" && !bytes.Equal(msg, unhex(t, v.Data)) {
				t.Fatalf("message %x, want %s", msg, v.Data)
			}
			if got := p.AppendDigest(bytes.Clone(msg), msg, 0); !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
			if got := p.Verify(msg, want[len(msg):], 0); got != secure.Good {
				t.Errorf("verdict %v, want good", got)
			}
		})
	}
}

// TestGoldenTick holds the tick of the time-based vector.
func TestGoldenTick(t *testing.T) {
	v := golden(t, "forward-cbc256-hmac-time")
	if got := secure.Tick(v.Unix); got != v.Tick {
		t.Errorf("tick %d, want %d", got, v.Tick)
	}
}

// TestGoldenGCM seals and opens the vectors of established GCM packets.
func TestGoldenGCM(t *testing.T) {
	for _, v := range loadVectors(t) {
		if !strings.HasPrefix(v.Name, "data-gcm") {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			g, err := secure.NewGCM(unhex(t, v.ServiceKey), unhex(t, v.TLV46))
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			for g.Counter() < v.Counter {
				buf := room(unhex(t, v.Data), secure.GCMOverhead)
				if got, err = g.Seal(buf, len(buf)); err != nil {
					t.Fatal(err)
				}
			}
			want := unhex(t, v.L4)
			if !bytes.Equal(got, want) {
				t.Errorf("sealed %x, want %x", got, want)
			}
			plain, err := g.Open(want)
			if err != nil || !bytes.Equal(plain, unhex(t, v.Data)) {
				t.Errorf("opened %x, %v, want %s", plain, err, v.Data)
			}
		})
	}
}

// TestGoldenBFD holds the BFD key and the digests under it.
func TestGoldenBFD(t *testing.T) {
	v := golden(t, "bfd-key")
	key := secure.BFDKey(unhex(t, v.HMACKey))
	if !bytes.Equal(key[:], unhex(t, v.Key)) {
		t.Fatalf("key %x, want %s", key, v.Key)
	}
	p := mustPolicy(t, secure.Config{Mode: secure.ModeRegular, Digest: secure.DigestSHA256128, HMACKey: key[:]})
	for _, name := range []string{"bfd-steady", "bfd-full"} {
		v := golden(t, name)
		b := unhex(t, v.L4)
		digest := b[len(b)-p.DigestSize():]
		msg := append(room(b[:len(b)-len(digest)], 16), unhex(t, v.SenderEpoch+v.PeerEpoch)...)
		if got := p.AppendDigest(nil, msg, 0); !bytes.Equal(got, digest) {
			t.Errorf("%s: got %x, want %x", name, got, digest)
		}
	}
	v = golden(t, "bfd-full")
	b := unhex(t, v.L4)
	p = mustPolicy(t, secure.Config{Encrypt: true, Cipher: secure.CBC256, Key: unhex(t, v.MetadataKey)})
	plain, err := p.DecryptCBC(b[24+12 : len(b)-16])
	if err != nil || !bytes.Equal(plain, unhex(t, v.Plain)) {
		t.Errorf("bfd-full: %x, %v, want %s", plain, err, v.Plain)
	}
}
