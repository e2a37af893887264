package secure

// PlainForTest makes a policy use the standard library only.
func (p *Policy) PlainForTest() *Policy {
	p.stitch, p.twin, p.many = nil, nil, nil
	if p.cbc != nil {
		p.cbc.keys = nil
	}
	return p
}

// StandardForTest makes a key that the standard library works with.
func StandardForTest(key []byte) *GCM {
	g := &GCM{}
	g.std.set(key)
	return g
}

// OwnForTest makes a key that is used as it is, not derived.
func OwnForTest(key []byte) *GCM {
	g := &GCM{}
	g.setKey(key)
	return g
}

// HaveGCM tells whether OwnForTest is anything else than StandardForTest.
func HaveGCM() bool { return haveGCM }

// HaveManyForTest tells whether policies over SHA-256 take many packets at once.
func HaveManyForTest() bool { return haveMany }
