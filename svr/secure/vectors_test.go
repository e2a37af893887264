package secure_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// vector is one entry of the golden file; fields that a vector lacks are empty.
type vector struct {
	Name        string `json:"name"`
	L4          string `json:"l4_payload"`
	Data        string `json:"data"`
	Plain       string `json:"plain_payload_tlvs"`
	MetadataKey string `json:"metadata_key"`
	MetadataIV  string `json:"metadata_iv"`
	IV          string `json:"iv"`
	PayloadKey  string `json:"payload_key"`
	PayloadIV   string `json:"payload_iv"`
	HMACKey     string `json:"hmac_key"`
	Unix        int64  `json:"unix_seconds"`
	Tick        uint32 `json:"tick"`
	ServiceKey  string `json:"service_key"`
	TLV46       string `json:"tlv46"`
	Key         string `json:"key"`
	Counter     uint64 `json:"counter"`
	SenderEpoch string `json:"sender_epoch"`
	PeerEpoch   string `json:"receiver_epoch"`
}

// loadVectors returns the golden vectors by name.
func loadVectors(t testing.TB) map[string]vector {
	t.Helper()
	text, err := os.ReadFile("testdata/wire-profile-1.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	m := make(map[string]vector)
	for _, v := range file.Vectors {
		m[v.Name] = v
	}
	return m
}

// golden returns one vector, which must exist.
func golden(t testing.TB, name string) vector {
	t.Helper()
	v, ok := loadVectors(t)[name]
	if !ok {
		t.Fatalf("no vector %q", name)
	}
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// room copies b into a buffer with n bytes of capacity behind it.
func room(b []byte, n int) []byte {
	return append(make([]byte, 0, len(b)+n), b...)
}
