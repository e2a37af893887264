package ppp_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"waymark/net/pppoe/ppp"
)

// A whole link with CHAP, byte by byte, as pppd 2.4.9 leads it.
func TestWhole(t *testing.T) {
	l := newLine(t, nil)
	l.establish()
	l.say("chap 01 07 04 01020304 6163")
	l.want("chap 02 07 10" + digest(7, "secret", []byte{1, 2, 3, 4}) + hex.EncodeToString([]byte("cpe@isp")))
	l.say("chap 03 07 77656c636f6d65")
	l.want(ourIPCP, ourIP6)
	l.say(peerIPCP, peerIP6)
	l.want("ipcp 02 31 03060a400001", "ipv6cp 02 32 010a0000000000000001")
	l.say("ipcp 03 01 03060a40000a" + "810608080808" + "830608080404")
	l.want("ipcp 01 02 03060a40000a" + "810608080808" + "830608080404")
	l.say("ipcp 02 02 03060a40000a"+"810608080808"+"830608080404", "ipv6cp 02 01 010a"+ourID)
	l.want()
	n := l.Network()
	if n.Address.String() != "10.64.0.10" || n.Peer.String() != "10.64.0.1" || n.MTU != 1492 || len(n.DNS) != 2 ||
		n.DNS[0].String() != "8.8.8.8" || !n.IPv6 || hex.EncodeToString(n.OwnID[:]) != ourID || n.PeerID[7] != 1 {
		t.Errorf("network %+v", n)
	}
	l.Close(l.now, "")
	l.look()
	l.want("lcp 05 02")
	l.say("lcp 06 02")
	l.ended(ppp.Closed, "")
}

// What the peer may ask of the link, and what it hears.
func TestLinkRequests(t *testing.T) {
	for _, row := range []struct{ name, ask, answer string }{
		{"nothing", "lcp 01 05", "lcp 02 05"},
		{"MRU", "lcp 01 05 010405d4", "lcp 02 05 010405d4"},
		{"large MRU", "lcp 01 05 01042328", "lcp 02 05 01042328"},
		{"MRU too small for IPv4", "lcp 01 05 01040080", "lcp 03 05 010405d4"},
		{"MRU of one byte", "lcp 01 05 010305", "lcp 04 05 010305"},
		{"PAP where we have CHAP", "lcp 01 05 0304c023", "lcp 03 05 0305c22305"},
		{"MS-CHAPv2", "lcp 01 05 0305c22381", "lcp 03 05 0305c22305"},
		{"EAP", "lcp 01 05 0304c227", "lcp 03 05 0305c22305"},
		{"authentication of one byte", "lcp 01 05 0303c0", "lcp 04 05 0303c0"},
		{"magic", "lcp 01 05 050600000001", "lcp 02 05 050600000001"},
		{"magic 0", "lcp 01 05 050600000000", "lcp 03 05 0506aabbcc02"},
		{"our magic", "lcp 01 05 0506" + ourMagic, "lcp 03 05 0506aabbcc02"},
		{"magic of three bytes", "lcp 01 05 0505000001", "lcp 04 05 0505000001"},
		{"compression of the protocol field", "lcp 01 05 0702", "lcp 04 05 0702"},
		{"compression of the address field", "lcp 01 05 0802", "lcp 04 05 0802"},
		{"quality protocol", "lcp 01 05 0408c02500000064", "lcp 04 05 0408c02500000064"},
		{"multilink", "lcp 01 05 110405dc", "lcp 04 05 110405dc"},
		{"one to reject outweighs one to suggest", "lcp 01 05 0304c0230702010405d4", "lcp 04 05 0702"},
		{"several to reject", "lcp 01 05 0702010405d40802", "lcp 04 05 07020802"},
		{"option of length 0", "lcp 01 05 0100", ""},
		{"option of length 1", "lcp 01 05 0101", ""},
		{"option past the packet", "lcp 01 05 010605d4", ""},
		{"half an option", "lcp 01 05 010405d405", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLine(t, nil)
			l.forget()
			l.say(row.ask)
			if row.answer == "" {
				l.want()
				return
			}
			l.want(row.answer)
		})
	}
}

// What the peer may say to our request, and what we ask then.
func TestLinkAnswers(t *testing.T) {
	for _, row := range []struct{ name, say, next string }{
		{"smaller MRU", "lcp 03 01 01040578", "lcp 01 02 010405780506" + ourMagic},
		{"larger MRU", "lcp 03 01 010405dc", "lcp 01 02 010405d40506" + ourMagic},
		{"absurd MRU", "lcp 03 01 01040010", "lcp 01 02 010405d40506" + ourMagic},
		{"another magic", "lcp 03 01 050612345678", "lcp 01 02 010405d40506aabbcc02"},
		{"suggests authentication", "lcp 03 01 0305c22305", "lcp 01 02 010405d40506" + ourMagic},
		{"rejects MRU", "lcp 04 01 010405d4", "lcp 01 02 0506" + ourMagic},
		{"rejects magic", "lcp 04 01 0506" + ourMagic, "lcp 01 02 010405d4"},
		{"rejects all", "lcp 04 01 010405d40506" + ourMagic, "lcp 01 02"},
		{"another identifier", "lcp 03 02 01040578", ""},
		{"ack of other options", "lcp 02 01 010405d4", ""},
		{"ack of another identifier", "lcp 02 09 010405d40506" + ourMagic, ""},
		{"damaged options", "lcp 03 01 01", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLine(t, nil)
			l.forget()
			l.say(row.say)
			if row.next == "" {
				l.want()
				return
			}
			l.want(row.next)
			l.say(row.say) // again: it was for the request before
			l.want()
		})
	}
}

// Packets of LCP beside the negotiation, on an open link.
func TestLinkPackets(t *testing.T) {
	long := strings.Repeat("5a", 1600)
	for _, row := range []struct{ name, say, answer string }{
		{"echo", "lcp 09 21 112233440102", "lcp 0a 21 " + ourMagic + "0102"},
		{"echo without magic", "lcp 09 21", ""},
		{"discard", "lcp 0b 21 11223344", ""},
		{"identification", "lcp 0c 21 1122334441", ""},
		{"time remaining", "lcp 0d 21 1122334400000001", ""},
		{"unknown code", "lcp 20 21 0102", "lcp 07 01 202100060102"},
		{"answer to no echo", "lcp 0a 99 11223344", ""},
		{"protocol rejected that we never sent", "lcp 08 21 80fd", ""},
		{"protocol reject of one byte", "lcp 08 21 80", ""},
		{"code reject of an extension", "lcp 07 21 0c010004", ""},
		{"empty code reject", "lcp 07 21", ""},
		{"unknown protocol", "ccp 01 21 0102", "lcp 08 01 80fd" + "012100060102"},
		{"unknown protocol, long", "ccp 01 21 " + long, "lcp 08 01 80fd" + "01210644" + long[:2*(1488-6)]},
		{"unknown code of IPCP", "ipcp 20 21 0102", "ipcp 07 01 202100060102"},
		{"echo as IPCP", "ipcp 09 21 0102", "ipcp 07 01 092100060102"},
		{"PAP unasked", "pap 03 21 00", ""},
		{"second ack of LCP", ackLCP, ""},
		{"second ack of IPCP", "ipcp 02 02 03060a40000a" + "810608080808" + "830608080404", ""},
		{"data", "ip 45 00", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLine(t, nil)
			l.connect()
			l.say(row.say)
			if row.answer == "" {
				l.want()
			} else {
				l.want(row.answer)
			}
			if n := l.Network(); l.end != nil || !n.Address.IsValid() {
				t.Errorf("link suffered: %+v, %+v", l.end, n)
			}
		})
	}
	l := newLine(t, nil)
	l.forget()
	l.say("lcp 09 21 11223344", "chap 01 01 0101", "ipcp 01 01", "ccp 01 01", "lcp 08 21 8021")
	l.Frame(0, nil)
	l.Frame(0, []byte{0xc0})
	l.Frame(0, []byte{0xc0, 0x21, 1, 1, 0, 3})
	l.Frame(0, []byte{0xc0, 0x21, 1, 1, 0, 9, 1, 4, 5})
	l.look()
	l.want() // before LCP is open only LCP negotiates
}

// What ends a link that is up.
func TestEnds(t *testing.T) {
	for _, row := range []struct {
		name, say, answer string
		kind              ppp.EndKind
		reason            string
	}{
		{"terminated", "lcp 05 21", "lcp 06 21", ppp.Hungup, "the other end ended the link"},
		{"terminated with a word", "lcp 05 21 41646d696e00", "lcp 06 21", ppp.Hungup, "the other end ended the link: Admin."},
		{"negotiates anew", chapReq, "", ppp.Hungup, "the other end negotiates anew"},
		{"terminate acknowledged unasked", "lcp 06 21", "", ppp.Hungup, "the other end negotiates anew"},
		{"rejects LCP", "lcp 08 21 c021", "", ppp.Disagreed, "peer rejects LCP"},
		{"rejects a basic code", "lcp 07 21 05010004", "", ppp.Hungup, "the other end negotiates anew"},
		{"echo of our own", "lcp 0a 01 " + ourMagic, "", ppp.Looped, "the line is looped: our own echo answers"},
		{"challenge failed later", "chap 04 07 65787069726564", "", ppp.Unknown, "user name or password refused: expired"},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLine(t, nil)
			l.connect()
			l.say(row.say)
			if row.answer != "" {
				l.want(row.answer)
			} else {
				l.want()
			}
			l.ended(row.kind, row.reason)
			l.say(ackLCP, peerIPCP) // it is over
			l.want()
		})
	}
}

// A peer that does not answer: transmissions at 0, 1, 3, 6, 9 … seconds, ten in all.
func TestUnanswered(t *testing.T) {
	l := newLine(t, nil)
	l.want(ourLCP)
	l.wait(time.Second)
	l.want(ourLCP)
	l.wait(2*time.Second - 1)
	l.want()
	l.wait(1)
	l.want(ourLCP)
	l.wait(21*time.Second - 1)
	if len(l.sent) != 6 { // 6, 9, … 21 s
		t.Errorf("%d transmissions until %v", len(l.sent), l.now)
	}
	l.wait(6 * time.Second)
	l.ended(ppp.Disagreed, "no agreement about the link: no answer")
	l = newLine(t, nil)
	l.say(ackLCP) // but asks for nothing
	l.wait(40 * time.Second)
	l.ended(ppp.Disagreed, "no agreement about the link: no answer")
}

// Peers that never agree.
func TestEndless(t *testing.T) {
	t.Run("naks", func(t *testing.T) {
		l := newLine(t, nil)
		for range 40 {
			if l.end == nil {
				id := strings.Fields(l.sent[len(l.sent)-1])[2]
				l.say("lcp 03 " + id + " 050612345678")
			}
		}
		l.ended(ppp.Disagreed, "no agreement about the link: no agreement")
	})
	t.Run("insists on PAP", func(t *testing.T) {
		l := newLine(t, nil)
		l.say(ackLCP)
		l.forget()
		for i := range 6 {
			l.say("lcp 01 05 0304c023")
			if i < 5 {
				l.want("lcp 03 05 0305c22305")
			} else {
				l.want("lcp 04 05 0304c023") // no more suggestions (RFC 1661 4.6)
			}
		}
		for range 40 {
			if l.end == nil {
				l.say("lcp 01 05 0304c023")
			}
		}
		l.ended(ppp.Unknown, "the other end wants another authentication than CHAP")
	})
	t.Run("looped", func(t *testing.T) {
		l := newLine(t, nil)
		for range 20 {
			if l.end != nil {
				break
			}
			for _, f := range l.sent {
				l.sent = nil
				l.say(f)
			}
		}
		l.ended(ppp.Looped, "the line is looped: our own packets come back")
	})
}

// The order in which acks and requests cross does not matter.
func TestCrossing(t *testing.T) {
	for _, order := range [][]string{{chapReq, ackLCP}, {ackLCP, chapReq}, {ackLCP, ackLCP, chapReq}, {chapReq, chapReq, ackLCP},
		{"lcp 01 50 0702", chapReq, ackLCP}, {chapReq, "lcp 01 50 0702", chapReq, ackLCP}} {
		l := newLine(t, nil)
		l.say(order...)
		if l.Phase() != ppp.Authenticate {
			t.Errorf("%v: phase %v", order, l.Phase())
		}
	}
	// An ack that another request follows by a rejected one: not open.
	l := newLine(t, nil)
	l.say(chapReq, "lcp 01 50 0702", ackLCP)
	if l.Phase() != ppp.Establish {
		t.Errorf("phase %v", l.Phase())
	}
	// Its request lost, the ack repeated: the same identifier is asked again.
	l.forget()
	l.wait(time.Second)
	l.want(ourLCP)
}

// The smaller of what both sides take is the MTU.
func TestMTU(t *testing.T) {
	for _, row := range []struct {
		name           string
		mru            uint16
		peer, ack, nak string
		want           int
	}{
		{"the same", 1492, "010405d4", "", "", 1492},
		{"peer says nothing: 1500", 1492, "", "", "", 1492},
		{"1500 on both sides", 1500, "010405dc", "", "", 1500},
		{"1500 here only", 1500, "010405d4", "", "", 1492},
		{"small here", 1400, "010405d4", "", "", 1400},
		{"small there", 1492, "01040578", "", "", 1400},
		{"peer wants ours smaller", 1492, "010405d4", "", "0104058c", 1420},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLine(t, func(c *ppp.Config) { c.MRU = row.mru })
			if row.nak != "" {
				l.say("lcp 03 01 " + row.nak)
			}
			last := strings.Fields(l.sent[len(l.sent)-1])
			l.say("lcp 01 05 "+row.peer, "lcp 02 "+last[2]+" "+last[3])
			if got := l.Network().MTU; got != row.want || l.Phase() != ppp.Networking {
				t.Errorf("MTU %d, phase %v", got, l.Phase())
			}
		})
	}
}
