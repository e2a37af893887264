package wire

import (
	"encoding/binary"
)

// commonTypes are the types AppendPayload writes before it looks for rare ones.
const commonTypes = contextTypes | 1<<TypeUUID | 1<<TypeTenant | 1<<TypeService |
	1<<TypeRouter | 1<<TypePolicy | 1<<TypePathway | 1<<TypeEncrypted | 1<<TypeSYN |
	1<<TypeKey | 1<<(TypeChallenge-ownTypeBase)

// AppendPayload appends the section in the clear: context, 6, 7, 10, 14, 15,
// 19, 11, 12, 46, 0x8001, then 8, 13, 17, 25, 28, 35, 42, 50, 51, 0x8002; each
// only if present. With UUIDFirst, 6 comes before the context. Names beyond
// their bound are cut there.
func AppendPayload(dst []byte, p *Payload) []byte {
	if p.UUIDFirst {
		dst = p.appendUUID(dst)
	}
	if p.Forward || p.Reverse {
		dst = appendContext(dst, p.Forward, &p.Context)
	}
	if !p.UUIDFirst {
		dst = p.appendUUID(dst)
	}
	dst = p.appendNames(dst)
	dst = p.appendFlags(dst)
	if p.Has&payloadTypes&^commonTypes != 0 {
		dst = p.appendRare(dst)
		dst = p.appendRarest(dst)
	}
	return dst
}

func (p *Payload) appendUUID(dst []byte) []byte {
	if !p.Has.Has(TypeUUID) {
		return dst
	}
	return appendBytes(dst, TypeUUID, p.UUID[:])
}

func (p *Payload) appendNames(dst []byte) []byte {
	if p.Has.Has(TypeTenant) {
		dst = appendName(dst, TypeTenant, p.Tenant, MaxName)
	}
	if p.Has.Has(TypeService) {
		dst = appendName(dst, TypeService, p.Service, MaxName)
	}
	if p.Has.Has(TypeRouter) {
		dst = appendName(dst, TypeRouter, p.Router, MaxName)
	}
	if p.Has.Has(TypePolicy) {
		dst = appendName(dst, TypePolicy, p.Policy, MaxName)
	}
	if p.Has.Has(TypePathway) {
		dst = appendName(dst, TypePathway, p.Pathway, MaxPathway)
	}
	return dst
}

func (p *Payload) appendFlags(dst []byte) []byte {
	if p.Has.Has(TypeEncrypted) {
		dst = appendHead(dst, TypeEncrypted, 0)
	}
	if p.Has.Has(TypeSYN) {
		dst = appendHead(dst, TypeSYN, 0)
	}
	if p.Has.Has(TypeKey) {
		dst = appendName(dst, TypeKey, p.Key, MaxKey)
	}
	if p.Has.Has(TypeChallenge) {
		dst = appendBytes(dst, TypeChallenge, p.Challenge[:])
	}
	return dst
}

func (p *Payload) appendRare(dst []byte) []byte {
	if p.Has.Has(TypeInterfaceID) {
		dst = appendUint32(dst, TypeInterfaceID, p.InterfaceID)
	}
	if p.Has.Has(TypeSessions) {
		dst = binary.BigEndian.AppendUint64(appendHead(dst, TypeSessions, 8), p.Sessions)
	}
	if p.Has.Has(TypeDestRouter) {
		dst = appendName(dst, TypeDestRouter, p.DestRouter, MaxName)
	}
	if p.Has.Has(TypeSourceNAT) {
		dst = appendBytes(dst, TypeSourceNAT, p.SourceNAT[:])
	}
	if p.Has.Has(TypeModify) {
		dst = binary.BigEndian.AppendUint16(appendHead(dst, TypeModify, 2), uint16(p.Modify))
	}
	return dst
}

func (p *Payload) appendRarest(dst []byte) []byte {
	if p.Has.Has(TypeApplication) {
		dst = appendName(dst, TypeApplication, p.Application, MaxName)
	}
	if p.Has.Has(TypeRemaining) {
		dst = appendUint32(dst, TypeRemaining, p.Remaining)
	}
	if p.Has.Has(TypeMulticast) {
		dst = p.Multicast.append(dst)
	}
	if p.Has.Has(TypeEgress) && len(p.Egress) <= MaxEgress {
		dst = appendBytes(dst, TypeEgress, p.Egress)
	}
	if p.Has.Has(TypeBFDMessage) && len(p.Message) <= MaxMessage {
		dst = appendBytes(dst, TypeBFDMessage, p.Message)
	}
	return dst
}
