package dgram

import (
	"net/netip"
	"testing"
	"time"
)

// Two sockets that answer each other, each waiting for the other's datagram, never stop:
// no datagram arrives without waking who waits, muted now and then as they are.
func TestNobodySleepsOn(t *testing.T) {
	const rounds = 20_000
	lo, self := loopback(t), netip.MustParseAddr("127.0.0.1")
	var ends [2]*Socket
	for i := range ends {
		s, err := Open(Config{Port: testPort + 2 + uint16(i), Buffer: 1 << 20, Batch: 4, Longest: 100})
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = s
	}
	said := make(chan int)
	for i, s := range ends {
		o := toSelf(self, lo, 10, 1)
		o.To = netip.AddrPortFrom(self, testPort+2+uint16(1-i))
		if i == 0 {
			s.Send(o)
			s.Flush()
		}
		go func() {
			n := 0
			defer func() { said <- n }()
			for ; n < rounds; n++ {
				if n%7 == i { // as at the begin and the end of a rest
					if s.Mute(true) != nil || s.Mute(false) != nil {
						return
					}
				}
				if _, err := s.Wait(); err != nil {
					return
				}
				s.Send(o)
				s.Flush()
			}
		}()
	}
	stuck := time.AfterFunc(30*time.Second, func() { ends[0].Close(); ends[1].Close() })
	for range ends {
		if n := <-said; n < rounds {
			t.Errorf("stopped after %d of %d rounds", n, rounds)
		}
	}
	if stuck.Stop() {
		ends[0].Close()
		ends[1].Close()
	}
}
