package secure

// KeyForTest returns the derived key.
func (g *GCM) KeyForTest() []byte { return g.key[:g.keySize] }

// PlainForTest makes a policy use the standard library only.
func (p *Policy) PlainForTest() *Policy {
	p.stitch = nil
	if p.cbc != nil {
		p.cbc.keys = nil
	}
	return p
}
