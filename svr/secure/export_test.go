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

// LanesForTest tells how many packets over SHA-256 this CPU takes at once, in any way
// that it knows.
func LanesForTest() []int {
	if shaLanes == 16 { // AVX-512 is AVX2, too
		return []int{16, 8}
	}
	if shaLanes == 8 {
		return []int{8}
	}
	return nil
}

// UseLanesForTest makes new and old policies take so many, until the test ends.
func UseLanesForTest(t interface{ Cleanup(func()) }, n int) {
	was := shaLanes
	shaLanes = n
	t.Cleanup(func() { shaLanes = was })
}

// OneByOneForTest makes all policies take one packet at a time where they would take
// two side by side, until the test ends.
func OneByOneForTest(t interface{ Cleanup(func()) }) {
	was := havePairs
	havePairs = false
	t.Cleanup(func() { havePairs = was })
}
