package ppp

// optInterfaceID is IPv6CP's only option (RFC 5072 section 4.1).
const optInterfaceID = 1

// InterfaceID is the lower half of a link-local address.
type InterfaceID [8]byte

// ipv6cp are the rules of IPv6CP.
type ipv6cp struct {
	newID func() InterfaceID
	own   InterfaceID
	peer  InterfaceID
}

func newIPv6CP(id func() InterfaceID) *ipv6cp {
	p := &ipv6cp{newID: id}
	p.renew()
	return p
}

func (p *ipv6cp) renew() {
	for range 8 {
		if p.own = p.newID(); p.own != (InterfaceID{}) && p.own != p.peer {
			return
		}
	}
}

func (p *ipv6cp) request() []byte { return appendOption(nil, optInterfaceID, p.own[:]...) }

func (p *ipv6cp) judge(o option) (code, []byte) {
	if o.kind != optInterfaceID || len(o.value) != 8 {
		return configReject, nil
	}
	if id := InterfaceID(o.value); id == (InterfaceID{}) || id == p.own {
		other := p.newID()
		return configNak, other[:]
	}
	return configAck, nil
}

// missing: without an identifier the peer has no address.
func (p *ipv6cp) missing(list []option) []option {
	for _, o := range list {
		if o.kind == optInterfaceID {
			return nil
		}
	}
	other := p.newID()
	return []option{{optInterfaceID, other[:]}}
}

func (p *ipv6cp) agreed(list []option) {
	for _, o := range list {
		p.peer = InterfaceID(o.value)
	}
}

func (p *ipv6cp) naked(o option) {
	if o.kind != optInterfaceID || len(o.value) != 8 {
		return
	}
	if id := InterfaceID(o.value); id != (InterfaceID{}) {
		p.own = id
	}
}

func (p *ipv6cp) rejected(option) {}
