package wire

import "waymark/svr/packet"

// Payload is the payload section of metadata in the clear. Has says which
// fields count; the Set methods keep it right. The zero Payload is the empty
// section.
//
// Names and keys alias the input of ParsePayload.
type Payload struct {
	Has       Set // TLVs that are present; flags (11, 12) are only here
	Misplaced Set // TLVs that belong to the header section: skipped
	Repeated  Set // TLVs that came again: the first one counts; so does a second context

	// Context is the inner flow as the sender of this direction sees it. At
	// most one of Forward and Reverse is set; these two, not Has, decide
	// whether AppendPayload writes a context.
	Context          packet.Tuple
	Forward, Reverse bool
	// UUIDFirst: TLV 6 stands before the context, as control messages have it.
	UUIDFirst bool

	UUID        [16]byte // 6
	Tenant      []byte   // 7
	Service     []byte   // 10: names the payload policy
	Router      []byte   // 14: source router
	Policy      []byte   // 15: for show only
	DestRouter  []byte   // 17
	Pathway     []byte   // 19: opaque to the receiver
	Application []byte   // 35
	Key         []byte   // 46: salt of this direction's GCM key, 16 bytes in profile 1
	Challenge   [8]byte  // 0x8001

	InterfaceID uint32     // 8
	Sessions    uint64     // 13: sessions in the service, load feedback
	SourceNAT   [4]byte    // 25
	Modify      Modify     // 28
	Remaining   uint32     // 42: seconds the session still has
	Multicast   Multicast  // 50
	Egress      EgressList // 51
	Message     []byte     // 0x8002: the BFD message, see ParseMessage
}

// Modify is TLV 28: F 0x8000, D 0x4000, sequence 0x0fff.
type Modify uint16

// Largest sizes of a payload section as AppendPayload writes it, in bytes.
const (
	// MaxSession bounds what session and control metadata carry: context,
	// UUID, tenant, service, router, policy, pathway, flags 11 and 12, TLV 46
	// and challenge.
	MaxSession = (tlvHead + 37) + (tlvHead + 16) + 4*(tlvHead+MaxName) +
		(tlvHead + MaxPathway) + 2*tlvHead + (tlvHead + MaxKey) + (tlvHead + 8)
	// MaxPayload bounds every section.
	MaxPayload = MaxSession + (tlvHead + 4) + (tlvHead + 8) + 2*(tlvHead+MaxName) +
		(tlvHead + 4) + (tlvHead + 2) + (tlvHead + 4) + (tlvHead + 35) +
		(tlvHead + MaxEgress) + (tlvHead + MaxMessage)
	// MaxSessionMetadata bounds header and clear payload section of session
	// metadata together.
	MaxSessionMetadata = MaxHeader + MaxSession
)

const _ = uint(MaxPayloadLen - MaxPayload)

// SetForward makes t the forward context (TLV 2 or 3).
func (p *Payload) SetForward(t packet.Tuple) { p.setContext(t, true) }

// SetReverse makes t the reverse context (TLV 4 or 5).
func (p *Payload) SetReverse(t packet.Tuple) { p.setContext(t, false) }

func (p *Payload) setContext(t packet.Tuple, forward bool) {
	p.Context, p.Forward, p.Reverse = t, forward, !forward
	p.Has &^= contextTypes
	p.Has.Add(contextType(forward, t.Family))
}

// SetUUID adds TLV 6.
func (p *Payload) SetUUID(id [16]byte) {
	p.UUID = id
	p.Has.Add(TypeUUID)
}

// SetTenant adds TLV 7.
func (p *Payload) SetTenant(name []byte) {
	p.Tenant = name
	p.Has.Add(TypeTenant)
}

// SetService adds TLV 10.
func (p *Payload) SetService(name []byte) {
	p.Service = name
	p.Has.Add(TypeService)
}

// SetRouter adds TLV 14, the name of the router that sends.
func (p *Payload) SetRouter(name []byte) {
	p.Router = name
	p.Has.Add(TypeRouter)
}

// SetPolicy adds TLV 15.
func (p *Payload) SetPolicy(name []byte) {
	p.Policy = name
	p.Has.Add(TypePolicy)
}

// SetPathway adds TLV 19.
func (p *Payload) SetPathway(id []byte) {
	p.Pathway = id
	p.Has.Add(TypePathway)
}

// SetKey adds TLV 46 in its payload form: 2 to MaxKey bytes.
func (p *Payload) SetKey(key []byte) {
	p.Key = key
	p.Has.Add(TypeKey)
}

// SetChallenge adds TLV 0x8001.
func (p *Payload) SetChallenge(c [8]byte) {
	p.Challenge = c
	p.Has.Add(TypeChallenge)
}

// SetMessage adds TLV 0x8002; b is what AppendMessage made.
func (p *Payload) SetMessage(b []byte) {
	p.Message = b
	p.Has.Add(TypeBFDMessage)
}

// SetEncrypted adds the flag TLV 11: the session's payload is encrypted.
func (p *Payload) SetEncrypted() { p.Has.Add(TypeEncrypted) }

// SetSYN adds the flag TLV 12: a TCP SYN that travels in UDP.
func (p *Payload) SetSYN() { p.Has.Add(TypeSYN) }

// Encrypted reports whether TLV 11 is present.
func (p *Payload) Encrypted() bool { return p.Has.Has(TypeEncrypted) }

// SYN reports whether TLV 12 is present.
func (p *Payload) SYN() bool { return p.Has.Has(TypeSYN) }
