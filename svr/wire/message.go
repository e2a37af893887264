package wire

import (
	"net/netip"

	"waymark/svr/packet"
)

// The functions below fill h and p, whatever they held, with one whole
// message. Length fields are set by AppendMetadata (or by the caller, where the
// payload section is encrypted in between).

// KeepAlive fills a control packet that only refreshes a NAT.
func KeepAlive(h *Header, p *Payload, securityID uint32) {
	control(h, p, securityID, ControlKeepAlive)
}

// Enable fills a control packet that asks for a new handshake.
func Enable(h *Header, p *Payload, securityID uint32) {
	control(h, p, securityID, ControlEnable)
}

// Disable fills a control packet that stops forward metadata. It is sent by the
// responder, so that reverse is its own direction.
func Disable(h *Header, p *Payload, securityID uint32, uuid [16]byte, reverse packet.Tuple) {
	control(h, p, securityID, ControlDisable)
	h.SetDisableForward()
	bind(p, uuid, reverse, false)
}

// Delete fills a control packet that ends a session. ctx is the context of the
// sender's direction, forward tells which that is.
func Delete(h *Header, p *Payload, securityID uint32, uuid [16]byte, ctx packet.Tuple, forward bool) {
	control(h, p, securityID, ControlDelete)
	bind(p, uuid, ctx, forward)
}

// HealthAnswer fills the control packet that answers a health check; arguments
// as for Delete.
func HealthAnswer(h *Header, p *Payload, securityID uint32, uuid [16]byte, ctx packet.Tuple, forward bool) {
	control(h, p, securityID, ControlHealth)
	bind(p, uuid, ctx, forward)
}

// ICMPError fills the metadata in front of an ICMP error that a session carries;
// place is where the error arose, the other arguments are those of Delete.
func ICMPError(h *Header, p *Payload, securityID uint32, uuid [16]byte, ctx packet.Tuple, forward bool, place netip.Addr) {
	*h, *p = Header{}, Payload{}
	h.SetSecurityID(securityID)
	if place.Is4() {
		h.SetICMPIPv4(place.As4())
	} else {
		h.SetICMPIPv6(place.As16())
	}
	bind(p, uuid, ctx, forward)
}

// Challenge fills reverse metadata that asks a moved initiator to echo nonce.
func Challenge(h *Header, p *Payload, securityID uint32, uuid [16]byte, reverse packet.Tuple, nonce [8]byte) {
	*h, *p = Header{}, Payload{}
	h.SetSecurityID(securityID)
	p.SetReverse(reverse)
	p.SetUUID(uuid)
	p.SetChallenge(nonce)
}

func control(h *Header, p *Payload, securityID uint32, c Control) {
	*h, *p = Header{}, Payload{}
	h.SetSecurityID(securityID)
	h.SetControl(c)
}

// bind ties a control message to its flow: TLV 6, then the context.
func bind(p *Payload, uuid [16]byte, ctx packet.Tuple, forward bool) {
	p.UUIDFirst = true
	p.SetUUID(uuid)
	p.setContext(ctx, forward)
}

// AppendMetadata appends header and clear payload section and sets both
// lengths, in the bytes and in h.
func AppendMetadata(dst []byte, h *Header, p *Payload) []byte {
	start := len(dst)
	dst = AppendHeader(dst, h)
	dst = AppendPayload(dst, p)
	h.PayloadLen = len(dst) - start - h.Len
	SetPayloadLen(dst[start:], h.PayloadLen)
	return dst
}
