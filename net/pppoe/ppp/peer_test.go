package ppp_test

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"waymark/net/pppoe/ppp"
)

// Frames are written as text: protocol, code, identifier and what follows in hex,
// independently of the codec under test. "lcp 1 01 010405d4" is a request.

var protos = map[string]uint16{"lcp": 0xc021, "pap": 0xc023, "chap": 0xc223, "ipcp": 0x8021, "ipv6cp": 0x8057, "ccp": 0x80fd, "ip": 0x0021}

// bytes turns a text into a frame.
func bytes(t testing.TB, text string) []byte {
	t.Helper()
	w := strings.Fields(text)
	data, err := hex.DecodeString(strings.Join(w[1:], ""))
	if err != nil || len(data) < 2 {
		t.Fatalf("frame %q: %v", text, err)
	}
	b := binary.BigEndian.AppendUint16(nil, protos[w[0]])
	b = append(b, data[:2]...)
	b = binary.BigEndian.AppendUint16(b, uint16(2+len(data)))
	return append(b, data[2:]...)
}

// words turns a frame into a text.
func words(b []byte) string {
	for name, p := range protos {
		if len(b) >= 6 && binary.BigEndian.Uint16(b) == p && int(binary.BigEndian.Uint16(b[4:])) == len(b)-2 {
			return strings.TrimSpace(fmt.Sprintf("%s %02x %02x %x", name, b[2], b[3], b[6:]))
		}
	}
	return fmt.Sprintf("%x", b)
}

// line is a link and what its other end saw.
type line struct {
	testing.TB
	*ppp.Link
	now  time.Duration
	sent []string // not looked at yet
	end  *ppp.End
}

const ourMagic, ourID = "aabbcc01", "0000000000000a01"

func newLine(t testing.TB, change func(*ppp.Config)) *line {
	magic, id := uint32(0xaabbcc00), uint64(0xa00)
	c := ppp.Config{MRU: 1492, User: "cpe@isp", Password: "secret", IPv6: true,
		Magic: func() uint32 { magic++; return magic },
		InterfaceID: func() (b ppp.InterfaceID) {
			id++
			binary.BigEndian.PutUint64(b[:], id)
			return b
		}}
	if change != nil {
		change(&c)
	}
	l := &line{TB: t, Link: ppp.NewLink(c)}
	l.Start(0)
	l.look()
	return l
}

func (l *line) look() {
	o := l.Take()
	for _, f := range o.Frames {
		l.sent = append(l.sent, words(f))
	}
	if o.End != nil {
		if l.end != nil {
			l.Errorf("ends twice: %v, %v", *l.end, *o.End)
		}
		l.end = o.End
	}
}

// say lets the other end send frames.
func (l *line) say(frames ...string) {
	l.Helper()
	for _, f := range frames {
		l.Frame(l.now, bytes(l, f))
		l.look()
	}
}

// want checks what was sent since the last look.
func (l *line) want(frames ...string) {
	l.Helper()
	if !slices.Equal(l.sent, frames) && len(l.sent)+len(frames) > 0 {
		l.Errorf("sent\n\t%s\nwant\n\t%s", strings.Join(l.sent, "\n\t"), strings.Join(frames, "\n\t"))
	}
	l.sent = nil
}

func (l *line) forget() { l.sent = nil }

// wait lets time pass, doing what is due.
func (l *line) wait(d time.Duration) {
	for until, turns := l.now+d, 0; ; turns++ {
		if turns == 100000 {
			l.Fatalf("turns around at %v, waiting until %v", l.now, l.Deadline())
		}
		next := l.Deadline()
		if next > until {
			l.now = until
			return
		}
		l.now = max(next, l.now)
		l.Tick(l.now)
		l.look()
		if l.end != nil {
			l.now = until
			return
		}
	}
}

func (l *line) ended(k ppp.EndKind, reason string) {
	l.Helper()
	if l.end == nil || l.end.Kind != k || l.end.Reason != reason {
		l.Errorf("ended %+v, want %v %q", l.end, k, reason)
	}
	if l.end != nil && l.Deadline() != ppp.Never {
		l.Errorf("ended and waits until %v", l.Deadline())
	}
}

// Steps that many rows begin with.
const (
	ourLCP   = "lcp 01 01 010405d4" + "0506" + ourMagic
	chapReq  = "lcp 01 51 010405d4" + "0305c22305" + "050611223344"
	chapAck  = "lcp 02 51 010405d4" + "0305c22305" + "050611223344"
	ackLCP   = "lcp 02 01 010405d4" + "0506" + ourMagic
	ourIPCP  = "ipcp 01 01 030600000000" + "810600000000" + "830600000000"
	ourIP6   = "ipv6cp 01 01 010a" + ourID
	peerIPCP = "ipcp 01 31 03060a400001"
	peerIP6  = "ipv6cp 01 32 010a0000000000000001"
)

// establish goes through LCP with CHAP wanted.
func (l *line) establish() {
	l.Helper()
	l.want(ourLCP)
	l.say(chapReq, ackLCP)
	l.want(chapAck)
	if l.Phase() != ppp.Authenticate {
		l.Fatalf("phase %v", l.Phase())
	}
}

// known goes through CHAP.
func (l *line) known() {
	l.Helper()
	l.establish()
	l.say("chap 01 07 04 01020304 6163", "chap 03 07 77656c636f6d65")
	l.forget()
	if l.Phase() != ppp.Networking {
		l.Fatalf("phase %v", l.Phase())
	}
}

// connect goes all the way.
func (l *line) connect() {
	l.Helper()
	l.known()
	l.say(peerIPCP, "ipcp 03 01 03060a40000a"+"810608080808"+"830608080404", "ipcp 02 02 03060a40000a"+"810608080808"+"830608080404",
		peerIP6, "ipv6cp 02 01 010a"+ourID)
	l.forget()
	if n := l.Network(); !n.Address.IsValid() || !n.IPv6 {
		l.Fatalf("network %+v", n)
	}
}

func digest(id byte, secret string, challenge []byte) string {
	s := md5.Sum(append(append([]byte{id}, secret...), challenge...))
	return hex.EncodeToString(s[:])
}
