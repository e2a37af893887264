package secure

// KeyForTest returns the derived key.
func (g *GCM) KeyForTest() []byte { return g.key[:g.keySize] }
