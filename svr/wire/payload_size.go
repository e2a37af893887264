package wire

import "math/bits"

// Size returns how many bytes AppendPayload writes.
func (p *Payload) Size() int {
	n := 0
	if p.Forward || p.Reverse {
		n = tlvHead + contextSize(p.Context.Family)
	}
	for s := p.Has & payloadTypes &^ contextTypes; s != 0; s &= s - 1 {
		n += p.sizeOf(Type(bits.TrailingZeros64(uint64(s))))
	}
	return n
}

// sizeOf returns the size of one TLV; i is the type's bit in a Set.
func (p *Payload) sizeOf(i Type) int {
	switch i {
	case TypeTenant:
		return sizeName(p.Tenant, MaxName)
	case TypeService:
		return sizeName(p.Service, MaxName)
	case TypeRouter:
		return sizeName(p.Router, MaxName)
	case TypePolicy:
		return sizeName(p.Policy, MaxName)
	case TypeDestRouter:
		return sizeName(p.DestRouter, MaxName)
	case TypePathway:
		return sizeName(p.Pathway, MaxPathway)
	case TypeApplication:
		return sizeName(p.Application, MaxName)
	case TypeKey:
		return sizeName(p.Key, MaxKey)
	}
	return p.sizeOfRare(i)
}

func (p *Payload) sizeOfRare(i Type) int {
	switch i {
	case TypeModify:
		return tlvHead + 2
	case TypeMulticast:
		return p.Multicast.size()
	case TypeEgress:
		return sizeWhole(len(p.Egress), MaxEgress)
	case TypeBFDMessage - ownTypeBase:
		return sizeWhole(len(p.Message), MaxMessage)
	}
	return tlvHead + int(specs[i].max)
}

// sizeWhole is the size of a TLV that is left out when it is too long.
func sizeWhole(n, max int) int {
	if n > max {
		return 0
	}
	return tlvHead + n
}
