package wire

import "encoding/binary"

// ParsePayload reads a decrypted payload section. Unknown TLVs are skipped;
// the section must end where its last TLV ends. The only error is ErrTLV; p is
// of no use then.
func ParsePayload(b []byte, p *Payload) error {
	*p = Payload{}
	for len(b) > 0 {
		t, v, rest, ok := nextTLV(b)
		if !ok {
			return ErrTLV
		}
		b = rest
		i, known := t.index()
		if !known {
			continue
		}
		bit := Set(1) << i
		switch {
		case payloadTypes&bit == 0, t == TypeKey && len(v) == 1:
			p.Misplaced |= bit
		case len(v) < int(specs[i].min) || len(v) > int(specs[i].max):
			return ErrTLV
		case p.Has&bit != 0 || contextTypes&bit != 0 && p.Has&contextTypes != 0:
			p.Repeated |= bit
		default:
			p.Has |= bit
			if !p.take(t, v) {
				return ErrTLV
			}
		}
	}
	return nil
}

// take stores a TLV whose section and length were checked; false: the value
// contradicts itself.
func (p *Payload) take(t Type, v []byte) bool {
	switch t {
	case TypeForwardIPv4, TypeForwardIPv6:
		p.Forward = true
		parseContext(v, &p.Context)
	case TypeReverseIPv4, TypeReverseIPv6:
		p.Reverse = true
		parseContext(v, &p.Context)
	case TypeUUID:
		p.UUID = [16]byte(v)
		p.UUIDFirst = !p.Forward && !p.Reverse
	case TypeTenant:
		p.Tenant = v
	case TypeService:
		p.Service = v
	case TypeRouter:
		p.Router = v
	case TypePolicy:
		p.Policy = v
	case TypePathway:
		p.Pathway = v
	case TypeKey:
		p.Key = v
	case TypeChallenge:
		p.Challenge = [8]byte(v)
	default:
		return p.takeRare(t, v)
	}
	return true
}

func (p *Payload) takeRare(t Type, v []byte) (ok bool) {
	switch t {
	case TypeInterfaceID:
		p.InterfaceID = binary.BigEndian.Uint32(v)
	case TypeSessions:
		p.Sessions = binary.BigEndian.Uint64(v)
	case TypeDestRouter:
		p.DestRouter = v
	case TypeSourceNAT:
		p.SourceNAT = [4]byte(v)
	case TypeModify:
		p.Modify = Modify(binary.BigEndian.Uint16(v))
	case TypeApplication:
		p.Application = v
	case TypeRemaining:
		p.Remaining = binary.BigEndian.Uint32(v)
	case TypeMulticast:
		p.Multicast, ok = parseMulticast(v)
		return ok
	case TypeEgress:
		p.Egress = v
		return p.Egress.valid()
	case TypeBFDMessage:
		p.Message = v
	}
	return true
}
