package bfd

import "waymark/svr/wire"

// WithSequence makes a machine whose next packet has sequence number seq + 1.
func WithSequence(cfg Config, seq uint32) *Machine {
	m := New(cfg, 1)
	m.auth.sendSeq = seq
	return m
}

// Sign makes a packet with authentication by, sequence number seq.
func Sign(p wire.BFD, by Auth, seq uint32) []byte {
	p.AuthType, p.AuthKeyID, p.AuthSeq, p.AuthDigest = by.Type, by.KeyID, seq, [20]byte{}
	b := wire.AppendBFD(nil, &p)
	if by.Type != wire.BFDAuthNone {
		sum := digest(b, &by)
		copy(b[wire.BFDSize+8:], sum[:])
	}
	return b
}
