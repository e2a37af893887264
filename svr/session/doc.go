// Package session is the life of SVR sessions: it takes IP packets and a clock
// and gives IP packets, counters and events. It opens sockets to nobody.
//
// A session has two legs. Leg 0 faces the host that spoke first, leg 1 the one
// it spoke to; either may be native (a LAN, an ISP) or an SVR peer path. A
// packet that arrives on one leg leaves on the other:
//
//	        leg 0                    leg 1
//	host ── native ─► first router ── SVR ─► ... ── SVR ─► last router ── native ─► host
//
// Decoding (strip digest and metadata, decrypt, undo the transform) belongs to
// the leg a packet arrives on, encoding to the leg it leaves on, so a first
// router, a transit router and a last router are the same code.
//
// One goroutine owns an Engine; nothing in it locks.
package session
