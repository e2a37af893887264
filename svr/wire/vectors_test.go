package wire_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/wire"
)

// hexBytes is a byte string that JSON holds in hexadecimal.
type hexBytes []byte

func (b *hexBytes) UnmarshalText(s []byte) (err error) {
	*b, err = hex.DecodeString(string(s))
	return err
}

// vector is one entry of testdata/wire-profile-1.json, computed apart from this
// code.
type vector struct {
	Name    string   `json:"name"`
	Payload hexBytes `json:"l4_payload"`
	Expect  string   `json:"expect"`

	HeaderTLVs  hexBytes `json:"header_tlvs"`
	PayloadTLVs hexBytes `json:"payload_tlvs"`
	PlainTLVs   hexBytes `json:"plain_payload_tlvs"`
	Data        hexBytes `json:"data"`

	MetadataKey hexBytes `json:"metadata_key"`
	MetadataIV  hexBytes `json:"metadata_iv"`
	IV          hexBytes `json:"iv"`
	PayloadKey  hexBytes `json:"payload_key"`
	PayloadIV   hexBytes `json:"payload_iv"`
	HMACKey     hexBytes `json:"hmac_key"`
	ServiceKey  hexBytes `json:"service_key"`
	TLV46       hexBytes `json:"tlv46"`
	Key         hexBytes `json:"key"`
	Counter     uint64   `json:"counter"`
	Unix        int64    `json:"unix_seconds"`
	Tick        uint32   `json:"tick"`

	SenderEpoch   hexBytes `json:"sender_epoch"`
	ReceiverEpoch hexBytes `json:"receiver_epoch"`
}

// vectors reads all of them.
func vectors(t testing.TB) map[string]vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/wire-profile-1.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Profile int      `json:"profile"`
		Vectors []vector `json:"vectors"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if file.Profile != 1 || len(file.Vectors) == 0 {
		t.Fatalf("got profile %d with %d vectors", file.Profile, len(file.Vectors))
	}
	all := make(map[string]vector)
	for _, v := range file.Vectors {
		all[v.Name] = v
	}
	return all
}

// The session all vectors speak of.
var (
	uuid = [16]byte{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
		0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f}
	flow = packet.Tuple{
		Src: [16]byte{192, 168, 1, 77}, Dst: [16]byte{10, 20, 0, 53},
		SrcPort: 50123, DstPort: 53, Proto: packet.ProtoUDP, Family: 4,
	}
	flow6 = packet.Tuple{
		Src:     [16]byte{0xfd, 0, 0, 1, 15: 0x77},
		Dst:     [16]byte{0xfd, 0, 0, 0x20, 15: 0x80},
		SrcPort: 50124, DstPort: 8443, Proto: packet.ProtoTCP, Family: 6,
	}
	echo = packet.Tuple{
		Src: flow.Src, Dst: [16]byte{10, 20, 0, 80},
		SrcPort: 0x1234, DstPort: 0x1234, Proto: packet.ProtoICMP, Family: 4,
	}
	pathway = []byte("fiber:203.0.113.2>198.51.100.2")
)

const securityID = 7

// session fills header and payload section as every forward vector begins.
func session(h *wire.Header, p *wire.Payload, ctx packet.Tuple) {
	*h, *p = wire.Header{}, wire.Payload{}
	h.SetSecurityID(securityID)
	p.SetForward(ctx)
	p.SetUUID(uuid)
	p.SetTenant([]byte("corp"))
	p.SetService([]byte("datacenter"))
}

// forward fills the usual forward metadata.
func forward(h *wire.Header, p *wire.Payload) {
	session(h, p, flow)
	p.SetRouter([]byte("branch1"))
	p.SetPolicy([]byte("internal"))
	p.SetPathway(pathway)
}
