package ppp_test

import (
	"encoding/binary"
	"testing"
	"time"

	"waymark/net/pppoe/ppp"
)

// No sequence of frames and pauses breaks a link: whatever it sends can be read,
// it says once that it is over, it never waits for nothing, and it believes
// nobody without a verdict on who we are when one was asked for. The input is a
// list of {length, seconds, bytes}.
func FuzzLink(f *testing.F) {
	seed := func(frames ...string) {
		var b []byte
		for _, s := range frames {
			x := bytes(f, s)
			b = append(append(b, byte(len(x)), 1), x...)
		}
		f.Add(b, false)
		f.Add(b, true)
	}
	seed(chapReq, ackLCP, "chap 01 07 0401020304", "chap 03 07", peerIPCP, "ipcp 03 01 03060a40000a", peerIP6, "lcp 05 21")
	seed("lcp 01 05 0304c023", ackLCP, "pap 02 01 00", "ipcp 01 05 0206002d0f01", "lcp 08 21 8021", "ccp 01 01")
	seed("lcp 03 01 050612345678", "lcp 04 01 010405d4", "lcp 07 01 01010004")
	f.Fuzz(func(t *testing.T, in []byte, pap bool) {
		l := newLine(t, func(c *ppp.Config) {
			if pap {
				c.Auth = ppp.PAP
			}
			c.MRU, c.Probe = 1500, true
		})
		for len(in) >= 2 {
			n, pause := min(int(in[0]), len(in)-2), time.Duration(in[1]%8)*time.Second
			l.Frame(l.now, in[2:2+n])
			l.look()
			l.wait(pause)
			in = in[2+n:]
			for _, s := range l.sent {
				if b := bytes(t, s); binary.BigEndian.Uint16(b) < 0x8000 || len(b) > 1502 {
					t.Fatalf("sent %s", s)
				}
			}
			l.forget()
			if n := l.Network(); n.Address.IsValid() && n.MTU < 576 {
				t.Fatalf("network %+v", n)
			}
			if l.end == nil && l.Deadline() == ppp.Never {
				t.Fatal("waits for nothing")
			}
		}
		l.wait(10 * time.Minute)
		if n := l.Network(); l.end == nil && !n.Up() {
			t.Fatalf("neither up nor over, phase %v", l.Phase())
		}
	})
}
