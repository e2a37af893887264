package dhcp4

import (
	"testing"
	"time"

	"waymark/net/frame"
)

// FuzzMachine feeds frames, flaps and time to a machine. The first byte of each
// step says what happens; answers get the right xid half of the time. Whatever
// comes: no panic, a deadline that is not past, and an address in use only
// while its lease lasts.
func FuzzMachine(f *testing.F) {
	s := newSim(nil)
	ack := s.reply(ack, server1)
	for to := Init; to <= Rebinding; to++ {
		f.Add(uint8(to), append([]byte{1}, ack...))
		f.Add(uint8(to), append([]byte{5}, s.reply(nak, server2)...))
		f.Add(uint8(to), append([]byte{2}, frame.Announce(hisMAC, address)...))
	}
	over := overload(3, []byte{optMTU, 2, 5, 0}, []byte{optDNS, 4, 2, 2, 2, 2})
	f.Add(uint8(Requesting), append([]byte{1}, over(s.reply(5, server1))...))
	f.Add(uint8(Bound), []byte{3})
	f.Fuzz(func(t *testing.T, to uint8, data []byte) {
		s := newSim(t)
		s.reach(Init + State(to)%Rebinding)
		if len(data) == 0 {
			return
		}
		switch how, b := data[0], data[1:]; how & 3 {
		case 0, 1:
			if how&4 == 0 && len(b) >= 8 {
				copy(b[4:], u32(s.m.xid))
			}
			s.m.Datagram(s.now, b)
		case 2:
			s.m.Frame(s.now, b)
		case 3:
			s.flap(time.Duration(len(b)) * sec)
		}
		for range 50 {
			s.m.Take()
			l, start := s.m.Lease()
			if l != nil && (!l.sound() || s.m.State() != Down && s.m.over(start, l.Seconds) < s.now) {
				t.Fatalf("lease %+v from %v in use at %v", l, start, s.now)
			}
			if s.m.Deadline() == Never {
				return
			}
			s.tick()
		}
	})
}
