package ppp_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"waymark/net/pppoe/ppp"
)

func asHex(s string) string { return hex.EncodeToString([]byte(s)) }

// Authentication by CHAP.
func TestCHAP(t *testing.T) {
	response := func(id byte, challenge ...byte) string {
		return "chap 02 " + hex.EncodeToString([]byte{id}) + " 10" + digest(id, "secret", challenge) + asHex("cpe@isp")
	}
	for _, row := range []struct {
		name   string
		say    []string
		want   []string
		phase  ppp.Phase
		reason string
	}{
		{"success without a word", []string{"chap 01 07 0101", "chap 03 07"}, []string{response(7, 1), ourIPCP, ourIP6}, ppp.Networking, ""},
		{"challenged twice", []string{"chap 01 07 0101", "chap 01 08 0102", "chap 03 08"},
			[]string{response(7, 1), response(8, 2), ourIPCP, ourIP6}, ppp.Networking, ""},
		{"success for the challenge before", []string{"chap 01 07 0101", "chap 01 08 0102", "chap 03 07"},
			[]string{response(7, 1), response(8, 2)}, ppp.Authenticate, ""},
		{"failure", []string{"chap 01 07 0101", "chap 04 07 " + asHex("Access denied")}, []string{response(7, 1)}, ppp.Dead,
			"user name or password refused: Access denied"},
		{"failure without a word", []string{"chap 01 07 0101", "chap 04 07"}, []string{response(7, 1)}, ppp.Dead,
			"user name or password refused"},
		{"failure in bytes that are no text", []string{"chap 01 07 0101", "chap 04 07 1b5b41"}, []string{response(7, 1)}, ppp.Dead,
			"user name or password refused: .[A"},
		{"empty challenge", []string{"chap 01 07 00"}, nil, ppp.Authenticate, ""},
		{"challenge past its packet", []string{"chap 01 07 0401"}, nil, ppp.Authenticate, ""},
		{"challenge of no byte", []string{"chap 01 07"}, nil, ppp.Authenticate, ""},
		{"IPCP too early", []string{peerIPCP}, nil, ppp.Authenticate, ""},
		{"PAP instead", []string{"pap 02 01 00"}, nil, ppp.Authenticate, ""},
		{"rejects our responses", []string{"chap 01 07 0101", "lcp 08 01 c223"}, []string{response(7, 1)}, ppp.Dead, "peer rejects CHAP"},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLine(t, nil)
			l.establish()
			l.say(row.say...)
			l.want(row.want...)
			if l.Phase() != row.phase {
				t.Errorf("phase %v", l.Phase())
			}
			if row.reason != "" {
				l.ended(ppp.Unknown, row.reason)
			}
		})
	}
	l := newLine(t, nil)
	l.connect()
	l.say("chap 01 09 0105") // again, while the link carries packets
	l.want(response(9, 5))
	l.say("chap 03 09")
	if n := l.Network(); !n.Address.IsValid() || l.end != nil {
		t.Errorf("after another challenge: %+v, %+v", n, l.end)
	}
	l = newLine(t, nil)
	l.establish()
	l.wait(29 * time.Second)
	if l.end != nil {
		t.Errorf("gave up early: %v", l.end)
	}
	for _, f := range l.sent { // echoes are asked and answered meanwhile
		if !strings.HasPrefix(f, "lcp 09") {
			t.Errorf("sent %s", f)
		}
	}
	l.wait(2 * time.Second)
	l.ended(ppp.Unknown, "nobody says whether we are known")
}

// Authentication by PAP: asked again until there is an answer.
func TestPAP(t *testing.T) {
	pap := func(c *ppp.Config) { c.Auth = ppp.PAP }
	request := "pap 01 01 07" + asHex("cpe@isp") + "06" + asHex("secret")
	begin := func(t *testing.T) *line {
		l := newLine(t, pap)
		l.forget()
		l.say("lcp 01 05 0304c023", ackLCP)
		l.want("lcp 02 05 0304c023", request)
		return l
	}
	for _, row := range []struct {
		name, say string
		phase     ppp.Phase
		reason    string
	}{
		{"ack", "pap 02 01 00", ppp.Networking, ""},
		{"ack with a word", "pap 02 01 02" + asHex("ok"), ppp.Networking, ""},
		{"ack without a length", "pap 02 01", ppp.Networking, ""},
		{"nak", "pap 03 01 05" + asHex("wrong"), ppp.Dead, "user name or password refused: wrong"},
		{"nak with a length past its packet", "pap 03 01 ff41", ppp.Dead, "user name or password refused"},
		{"ack of another", "pap 02 02 00", ppp.Authenticate, ""},
		{"request of the peer", "pap 01 01 0000", ppp.Authenticate, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := begin(t)
			l.say(row.say)
			if l.Phase() != row.phase {
				t.Errorf("phase %v", l.Phase())
			}
			if row.reason != "" {
				l.ended(ppp.Unknown, row.reason)
			}
		})
	}
	l := begin(t)
	l.wait(6 * time.Second)
	l.want(request, request)
	l.say("pap 02 01 00")
	l.forget()
	l.wait(2 * time.Second)
	for _, f := range l.sent {
		if strings.HasPrefix(f, "pap") {
			t.Errorf("asked once more: %s", f)
		}
	}
	l = newLine(t, pap)
	l.forget()
	l.say("lcp 01 05 0305c22305")
	l.want("lcp 03 05 0304c023")
	l.say("lcp 01 06", ackLCP) // a peer that does without
	if l.Phase() != ppp.Networking {
		t.Errorf("phase %v", l.Phase())
	}
}

// What IPCP may hear, and what comes of it.
func TestIPCP(t *testing.T) {
	for _, row := range []struct {
		name string
		say  []string
		want []string
		addr string
		peer string
		dns  int
		end  string
	}{
		{"peer asks for compression", []string{"ipcp 01 05 0206002d0f0103060a400001", peerIPCP}, []string{"ipcp 04 05 0206002d0f01", "ipcp 02 31 03060a400001"}, "", "", 0, ""},
		{"peer asks for DNS", []string{"ipcp 01 05 810600000000"}, []string{"ipcp 04 05 810600000000"}, "", "", 0, ""},
		{"peer without an address", []string{"ipcp 01 05", "ipcp 03 01 03060a40000a", "ipcp 02 02 03060a40000a810600000000830600000000"},
			[]string{"ipcp 02 05", "ipcp 01 02 03060a40000a810600000000830600000000"}, "10.64.0.10", "invalid IP", 0, ""},
		{"peer asks for an address", []string{"ipcp 01 05 030600000000"}, []string{"ipcp 04 05 030600000000"}, "", "", 0, ""},
		{"peer address of three bytes", []string{"ipcp 01 05 03050a4000"}, []string{"ipcp 04 05 03050a4000"}, "", "", 0, ""},
		{"peer address multicast", []string{"ipcp 01 05 0306e0000001"}, []string{"ipcp 04 05 0306e0000001"}, "", "", 0, ""},
		{"no DNS there", []string{peerIPCP, "ipcp 04 01 810600000000830600000000", "ipcp 03 02 03060a40000a", "ipcp 02 03 03060a40000a"},
			[]string{"ipcp 02 31 03060a400001", "ipcp 01 02 030600000000", "ipcp 01 03 03060a40000a"}, "10.64.0.10", "10.64.0.1", 0, ""},
		{"one DNS server twice", []string{peerIPCP, "ipcp 03 01 03060a40000a810608080808830608080808", "ipcp 02 02 03060a40000a810608080808830608080808"},
			[]string{"ipcp 02 31 03060a400001", "ipcp 01 02 03060a40000a810608080808830608080808"}, "10.64.0.10", "10.64.0.1", 1, ""},
		{"acks no address", []string{peerIPCP, "ipcp 02 01 030600000000810600000000830600000000"}, []string{"ipcp 02 31 03060a400001"}, "", "", 0,
			"the other end gives no address: no address"},
		{"rejects our address", []string{peerIPCP, "ipcp 04 01 030600000000", "ipcp 02 02 810600000000830600000000"},
			[]string{"ipcp 02 31 03060a400001", "ipcp 01 02 810600000000830600000000"}, "", "", 0, "the other end gives no address: no address"},
		{"loopback as address", []string{peerIPCP, "ipcp 03 01 03067f000001", "ipcp 02 02 03067f000001810600000000830600000000"},
			[]string{"ipcp 02 31 03060a400001", "ipcp 01 02 03067f000001810600000000830600000000"}, "", "", 0, "the other end gives no address: no address"},
		{"rejects IPCP", []string{"lcp 08 05 8021"}, nil, "", "", 0, "the other end gives no address: peer rejects IPCP"},
		{"nak of odd lengths", []string{"ipcp 03 01 0303008103ff"}, []string{"ipcp 01 02 030600000000810600000000830600000000"}, "", "", 0, ""},
		{"nak of what nobody asked", []string{"ipcp 03 01 820601020304"}, []string{"ipcp 01 02 030600000000810600000000830600000000"}, "", "", 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLine(t, func(c *ppp.Config) { c.IPv6 = false })
			l.known()
			l.say(row.say...)
			l.want(row.want...)
			n := l.Network()
			if row.end != "" {
				l.ended(ppp.NoNetwork, row.end)
			} else if l.end != nil {
				t.Errorf("ended %+v", l.end)
			}
			if row.addr != "" && (n.Address.String() != row.addr || n.Peer.String() != row.peer || len(n.DNS) != row.dns) {
				t.Errorf("network %+v", n)
			}
			if row.addr == "" && n.Address.IsValid() {
				t.Errorf("network %+v", n)
			}
		})
	}
}

// IPCP goes away and comes back within a link; IPv6 alone is a network too.
func TestNetworks(t *testing.T) {
	l := newLine(t, nil)
	l.connect()
	l.say("ipcp 01 41 03060a400002")
	if n := l.Network(); n.Address.IsValid() || !n.IPv6 || l.end != nil {
		t.Errorf("while it negotiates anew: %+v, %+v", n, l.end)
	}
	l.say("ipcp 02 03 03060a40000a" + "810608080808" + "830608080404")
	if n := l.Network(); n.Peer.String() != "10.64.0.2" || n.Address.String() != "10.64.0.10" {
		t.Errorf("negotiated anew: %+v", n)
	}
	l.say("ipcp 05 42")
	l.wait(3 * time.Second)
	if n := l.Network(); n.Address.IsValid() || !n.IPv6 || l.end != nil {
		t.Errorf("IPCP ended: %+v, %+v", n, l.end)
	}
	l.say("ipv6cp 05 42")
	l.wait(3 * time.Second)
	if l.end == nil || l.end.Kind != ppp.NoNetwork {
		t.Errorf("both ended: %+v", l.end)
	}
	l = newLine(t, func(c *ppp.Config) { c.IPv6 = false })
	l.connect4()
	l.say("ipv6cp 01 05 010a0000000000000001")
	l.want("lcp 08 01 8057" + "0105000e" + "010a0000000000000001")
}

func (l *line) connect4() {
	l.Helper()
	l.known()
	l.say(peerIPCP, "ipcp 03 01 03060a40000a", "ipcp 02 02 03060a40000a"+"810600000000"+"830600000000")
	l.forget()
}

func TestIPv6CP(t *testing.T) {
	for _, row := range []struct {
		name      string
		say, want []string
	}{
		{"identifier 0", []string{"ipv6cp 01 05 010a0000000000000000"}, []string{"ipv6cp 03 05 010a0000000000000a02"}},
		{"our identifier", []string{"ipv6cp 01 05 010a" + ourID}, []string{"ipv6cp 03 05 010a0000000000000a02"}},
		{"no identifier", []string{"ipv6cp 01 05"}, []string{"ipv6cp 03 05 010a0000000000000a02"}},
		{"identifier of four bytes", []string{"ipv6cp 01 05 010601020304"}, []string{"ipv6cp 04 05 010601020304"}},
		{"compression", []string{"ipv6cp 01 05 0204004f010a0000000000000001"}, []string{"ipv6cp 04 05 0204004f"}},
		{"another for us", []string{"ipv6cp 03 01 010a00000000000000ff"}, []string{"ipv6cp 01 02 010a00000000000000ff"}},
		{"0 for us", []string{"ipv6cp 03 01 010a0000000000000000"}, []string{"ipv6cp 01 02 010a" + ourID}},
		{"rejects IPv6CP", []string{"lcp 08 05 8057"}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLine(t, nil)
			l.known()
			l.say(row.say...)
			l.want(row.want...)
			if l.end != nil {
				t.Errorf("ended %+v", l.end)
			}
		})
	}
}

// Echoes: the first after 10 s, given up when three in a row are not answered.
func TestEcho(t *testing.T) {
	l := newLine(t, nil)
	l.connect()
	l.wait(10 * time.Second)
	l.want("lcp 09 01 " + ourMagic)
	l.say("lcp 0a 01 11223344")
	l.wait(30 * time.Second)
	l.want("lcp 09 02 "+ourMagic, "lcp 09 03 "+ourMagic, "lcp 09 04 "+ourMagic)
	l.say("lcp 0a 02 11223344") // an old answer is none
	l.wait(10*time.Second - 1)
	if l.end != nil {
		t.Fatalf("gave up early: %v", l.end)
	}
	l.wait(1)
	l.ended(ppp.Silent, "the other end does not answer echoes")

	l = newLine(t, nil)
	l.connect()
	l.Check(l.now)
	l.look()
	l.want("lcp 09 01 " + ourMagic)
	l.wait(3 * time.Second)
	l.ended(ppp.Silent, "the other end does not answer echoes")

	l = newLine(t, nil)
	l.connect()
	l.Check(l.now)
	l.say("lcp 0a 01 11223344")
	l.wait(9 * time.Second)
	if l.end != nil {
		t.Errorf("answered in time: %v", l.end)
	}
}

// Larger packets than Ethernet's usual have to be proven.
func TestProbe(t *testing.T) {
	wide := func(c *ppp.Config) { c.MRU, c.Probe, c.IPv6 = 1500, true, false }
	begin := func(t *testing.T) *line {
		l := newLine(t, wide)
		l.forget()
		l.say("lcp 01 05 010405dc", "lcp 02 01 010405dc0506"+ourMagic)
		if len(l.sent) != 3 || !strings.HasPrefix(l.sent[1], "lcp 09 01 "+ourMagic+"000102") || len(l.sent[1]) != len("lcp 09 01 ")+2*1496 {
			t.Fatalf("sent %q", l.sent)
		}
		l.forget()
		return l
	}
	l := begin(t)
	l.wait(time.Second)
	if !strings.Contains(strings.Join(l.sent, "\n"), "lcp 09 02") {
		t.Errorf("not asked again: %.200q", l.sent)
	}
	l.say("lcp 0a 02 11223344") // cut on its way: no proof
	l.wait(time.Second)
	l.say("lcp 0a 03 11223344" + strings.Repeat("00", 1492))
	l.forget()
	l.wait(5 * time.Second)
	if l.end != nil {
		t.Errorf("proven: %v", l.end)
	}
	l = begin(t)
	l.wait(4*time.Second - 1)
	if l.end != nil {
		t.Errorf("gave up early: %v", l.end)
	}
	l.wait(1)
	l.ended(ppp.Narrow, "packets of the full size get lost")
}

// A peer that does not answer our end is left after two tries.
func TestClose(t *testing.T) {
	l := newLine(t, nil)
	l.connect()
	l.Close(l.now, "bye")
	l.look()
	l.want("lcp 05 02 627965")
	l.say("lcp 05 44") // crossing
	l.want("lcp 06 44")
	l.wait(time.Second)
	l.want("lcp 05 02 627965")
	l.wait(3 * time.Second)
	l.ended(ppp.Closed, "")
	l = newLine(t, nil)
	l.forget()
	l.Close(0, "")
	l.look()
	l.want("lcp 05 02")
	l.say("lcp 06 02")
	l.ended(ppp.Closed, "")
}
