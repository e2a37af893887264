package disc_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"waymark/net/pppoe/disc"
)

var (
	us    = disc.MAC{2, 0, 0, 0, 0, 2}
	ac    = disc.MAC{2, 0, 0, 0, 0, 1}
	other = disc.MAC{2, 0, 0, 0, 0, 9}
	uniq  = []byte("uniq-1")
)

func newMachine(change func(*disc.Config)) *disc.Machine {
	c := disc.Config{MAC: us, HostUniq: uniq, Random: func(n time.Duration) time.Duration { return n / 2 }}
	if change != nil {
		change(&c)
	}
	return disc.New(c)
}

// golden bytes of a PADI as rp-pppoe 3.15 sees it.
func TestGolden(t *testing.T) {
	m := newMachine(func(c *disc.Config) { c.ServiceName = "internet" })
	m.Start(0, 1500)
	want := "ffffffffffff" + "020000000002" + "8863" + "11090000" + "001c" + "01010008" + hex.EncodeToString([]byte("internet")) +
		"01030006" + hex.EncodeToString(uniq) + "01200002" + "05dc"
	got := hex.EncodeToString(m.Take().Frames[0])
	if !strings.HasPrefix(got, want) || strings.Trim(got[len(want):], "0") != "" || len(got) != 120 {
		t.Errorf("PADI %s, want %s", got, want)
	}
	if got := hex.EncodeToString(disc.Termination(us, ac, 0x1234, "bye")); !strings.HasPrefix(got, "020000000001"+"020000000002"+"8863"+"11a71234"+"0007"+"02030003"+"627965") {
		t.Errorf("PADT %s", got)
	}
}

// packet makes what an access concentrator would send.
func packet(code disc.Code, session uint16, tags ...disc.Tag) *disc.Packet {
	return &disc.Packet{Dst: us, Src: ac, Code: code, Session: session, Tags: tags}
}

func tag(k disc.Kind, v string) disc.Tag { return disc.Tag{Kind: k, Value: []byte(v)} }

func offer(tags ...disc.Tag) *disc.Packet {
	return packet(disc.PADO, 0, append([]disc.Tag{tag(disc.ACName, "ac1"), tag(disc.ServiceName, "internet"), tag(disc.ServiceName, ""),
		tag(disc.HostUniq, string(uniq))}, tags...)...)
}

// without removes a kind of tag.
func without(p *disc.Packet, k disc.Kind) *disc.Packet {
	q := *p
	q.Tags = slices.DeleteFunc(slices.Clone(p.Tags), func(t disc.Tag) bool { return t.Kind == k })
	return &q
}

// with replaces a kind of tag.
func with(p *disc.Packet, k disc.Kind, v string) *disc.Packet {
	q := without(p, k)
	q.Tags = append(q.Tags, tag(k, v))
	return q
}

func from(p *disc.Packet, src, dst disc.MAC) *disc.Packet {
	q := *p
	q.Src, q.Dst = src, dst
	return &q
}

// Which offers are taken.
func TestOffers(t *testing.T) {
	foreign := offer().Frame()
	foreign[12], foreign[13] = 8, 0
	version := offer().Frame()
	version[14] = 0x21
	long := offer().Frame()
	long[18], long[19] = 0xff, 0xff
	half := offer(tag(disc.ACCookie, "cookie")).Frame()
	half[19] -= 3 // in the middle of the cookie
	for _, row := range []struct {
		name     string
		change   func(*disc.Config)
		frame    []byte
		accepted bool
	}{
		{"plain", nil, offer().Frame(), true},
		{"host-uniq of another client", nil, with(offer(), disc.HostUniq, "uniq-2").Frame(), false},
		{"no host-uniq", nil, without(offer(), disc.HostUniq).Frame(), false},
		{"no AC name", nil, without(offer(), disc.ACName).Frame(), false},
		{"no service", nil, without(offer(), disc.ServiceName).Frame(), false},
		{"to another station", nil, from(offer(), ac, other).Frame(), false},
		{"broadcast", nil, from(offer(), ac, disc.Broadcast).Frame(), false},
		{"from a group address", nil, from(offer(), disc.MAC{3, 0, 0, 0, 0, 1}, us).Frame(), false},
		{"from ourselves", nil, from(offer(), us, us).Frame(), false},
		{"with a session", nil, func() []byte { p := *offer(); p.Session = 7; return p.Frame() }(), false},
		{"PADS before PADR", nil, packet(disc.PADS, 7, tag(disc.HostUniq, string(uniq))).Frame(), false},
		{"wanted AC", func(c *disc.Config) { c.ACName = "ac1" }, offer().Frame(), true},
		{"other AC than wanted", func(c *disc.Config) { c.ACName = "ac2" }, offer().Frame(), false},
		{"wanted service, second tag", func(c *disc.Config) { c.ServiceName = "tv" }, offer(tag(disc.ServiceName, "tv")).Frame(), true},
		{"other service than wanted", func(c *disc.Config) { c.ServiceName = "tv" }, offer().Frame(), false},
		{"other EtherType", nil, foreign, false},
		{"other version", nil, version, false},
		{"length past the frame", nil, long, false},
		{"tag past the packet", nil, half, false},
		{"short", nil, offer().Frame()[:19], false},
		{"empty", nil, nil, false},
		{"tags behind the end of the list", nil, offer(tag(disc.EndOfList, ""), disc.Tag{Kind: 0xffff, Value: nil}).Frame(), true},
		{"unknown tag", nil, offer(disc.Tag{Kind: 0x7777, Value: []byte("x")}).Frame(), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMachine(row.change)
			m.Start(0, 0)
			m.Take()
			m.Frame(time.Second/2, row.frame)
			if got := m.State() == disc.Requesting; got != row.accepted {
				t.Errorf("accepted %t", got)
			}
		})
	}
}

// The request gives back what the offer had, byte by byte, and goes to its sender.
func TestRequestEchoes(t *testing.T) {
	m := newMachine(nil)
	m.Start(0, 1500)
	m.Take()
	frame := offer(disc.Tag{Kind: disc.ACCookie, Value: []byte{0, 1, 0xff}}, tag(disc.RelaySessionID, "relay")).Frame()
	m.Frame(0, frame)
	clear(frame) // the machine keeps none of it
	p, err := disc.Parse(m.Take().Frames[0])
	if err != nil || p.Code != disc.PADR || p.Dst != ac || p.Session != 0 {
		t.Fatalf("request %+v, %v", p, err)
	}
	for k, want := range map[disc.Kind]string{disc.ACCookie: "\x00\x01\xff", disc.RelaySessionID: "relay", disc.HostUniq: string(uniq),
		disc.MaxPayload: "\x05\xdc", disc.ServiceName: ""} {
		if v, ok := p.Find(k); !ok || string(v) != want {
			t.Errorf("tag %#04x: %q, %t, want %q", k, v, ok, want)
		}
	}
}

// What may follow a request.
func TestConfirmations(t *testing.T) {
	yes := func(tags ...disc.Tag) *disc.Packet {
		return packet(disc.PADS, 0x42, append([]disc.Tag{tag(disc.ServiceName, ""), tag(disc.HostUniq, string(uniq))}, tags...)...)
	}
	no := func(tags ...disc.Tag) *disc.Packet {
		p := yes(tags...)
		p.Session = 0
		return p
	}
	for _, row := range []struct {
		name    string
		ask     uint16
		p       *disc.Packet
		state   disc.State
		payload uint16
		reason  string
	}{
		{"plain", 0, yes(), disc.Open, 1492, ""},
		{"larger payload", 1500, yes(tag(disc.MaxPayload, "\x05\xdc")), disc.Open, 1500, ""},
		{"larger payload, not echoed", 1500, yes(), disc.Open, 1492, ""},
		{"larger payload than asked", 1500, yes(tag(disc.MaxPayload, "\x23\x28")), disc.Open, 1500, ""},
		{"smaller payload than all", 1500, yes(tag(disc.MaxPayload, "\x01\x00")), disc.Open, 1492, ""},
		{"payload of one byte", 1500, yes(tag(disc.MaxPayload, "\x05")), disc.Open, 1492, ""},
		{"larger payload not asked for", 0, yes(tag(disc.MaxPayload, "\x05\xdc")), disc.Open, 1492, ""},
		{"service refused", 0, no(tag(disc.ServiceNameError, "no tv\x00")), disc.Refused, 0, "service name refused: no tv."},
		{"system error", 0, no(tag(disc.ACSystemError, "")), disc.Refused, 0, "access concentrator failed: "},
		{"generic error beside a session", 0, yes(tag(disc.GenericError, "full")), disc.Refused, 0, "access concentrator says: full"},
		{"session 0 without a word", 0, no(), disc.Refused, 0, "access concentrator gave no session"},
		{"session ffff", 0, func() *disc.Packet { p := yes(); p.Session = 0xffff; return p }(), disc.Refused, 0, "access concentrator gave no session"},
		{"from another access concentrator", 0, from(yes(), other, us), disc.Requesting, 0, ""},
		{"host-uniq of another client", 0, with(yes(), disc.HostUniq, "x"), disc.Requesting, 0, ""},
		{"second offer", 0, offer(), disc.Requesting, 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMachine(nil)
			m.Start(0, row.ask)
			m.Frame(0, offer().Frame())
			m.Frame(0, row.p.Frame())
			s, open := m.Session()
			if m.State() != row.state || m.Reason() != row.reason || open && (s.MaxPayload != row.payload || s.ID != 0x42 || s.AC != ac || s.ACName != "ac1") {
				t.Errorf("%v, %+v, %q", m.State(), s, m.Reason())
			}
			if m.State() != disc.Requesting && m.Deadline() != disc.Never {
				t.Errorf("still waits until %v", m.Deadline())
			}
		})
	}
}

// Unanswered PADIs grow rare and never end; unanswered PADRs look elsewhere.
func TestRetries(t *testing.T) {
	m := newMachine(nil)
	m.Start(0, 0)
	var gaps []time.Duration
	silent := 0
	for now := time.Duration(0); len(gaps) < 9; {
		if m.Take().Silent {
			silent++
		}
		next := m.Deadline()
		gaps = append(gaps, next-now)
		now = next
		m.Tick(now - 1)
		if len(m.Take().Frames) != 0 {
			t.Fatal("sent too early")
		}
		m.Tick(now)
	}
	s := time.Second
	if want := []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s, 60 * s}; !slices.Equal(gaps, want) {
		t.Errorf("gaps %v, want %v", gaps, want)
	}
	if silent != 1 {
		t.Errorf("silence told %d times", silent)
	}
	now := time.Hour
	m.Frame(now, offer().Frame())
	m.Take()
	for range 3 {
		now = m.Deadline()
		m.Tick(now)
		if f := m.Take().Frames; len(f) != 1 || disc.Code(f[0][15]) != disc.PADR {
			t.Fatalf("repeated %x", f)
		}
	}
	m.Tick(m.Deadline())
	if f := m.Take().Frames; m.State() != disc.Soliciting || len(f) != 1 || disc.Code(f[0][15]) != disc.PADI {
		t.Errorf("after the last PADR: %v, %x", m.State(), f)
	}
}

// The blur stays within a fifth either way.
func TestJitter(t *testing.T) {
	for _, row := range []struct{ part, want time.Duration }{{0, 800 * time.Millisecond}, {1, 1200*time.Millisecond - 1}} {
		m := newMachine(func(c *disc.Config) {
			c.Random = func(n time.Duration) time.Duration { return row.part * (n - 1) }
		})
		m.Start(0, 0)
		if m.Deadline() != row.want {
			t.Errorf("%v, want %v", m.Deadline(), row.want)
		}
	}
}

func TestTerminates(t *testing.T) {
	s := disc.Session{ID: 5, AC: ac}
	good := packet(disc.PADT, 5, tag(disc.GenericError, "RP-PPPoE: Child pppd process terminated"))
	for _, row := range []struct {
		name string
		p    *disc.Packet
		want bool
	}{
		{"ours", good, true},
		{"another session", packet(disc.PADT, 6), false},
		{"from another station", from(good, other, us), false},
		{"to another station", from(good, ac, other), false},
		{"no PADT", packet(disc.PADS, 5), false},
	} {
		text, got := disc.Terminates(row.p.Frame(), us, s)
		if got != row.want || got && text != "access concentrator says: RP-PPPoE: Child pppd process terminated" {
			t.Errorf("%s: %t, %q", row.name, got, text)
		}
	}
}

// Whatever is parsed is written back as it was.
func FuzzParse(f *testing.F) {
	f.Add(offer(tag(disc.ACCookie, "cookie")).Frame())
	f.Add(packet(disc.PADS, 5, tag(disc.GenericError, "x")).Frame())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := disc.Parse(b)
		if err != nil {
			return
		}
		frame := p.Frame()
		q, err := disc.Parse(frame)
		if err != nil {
			t.Fatalf("written %x: %v", frame, err)
		}
		if q.Code != p.Code || q.Session != p.Session || len(q.Tags) != len(p.Tags) {
			t.Fatalf("%+v became %+v", p, q)
		}
		for i := range p.Tags {
			if p.Tags[i].Kind != q.Tags[i].Kind || !bytes.Equal(p.Tags[i].Value, q.Tags[i].Value) {
				t.Fatalf("tag %d: %v became %v", i, p.Tags[i], q.Tags[i])
			}
		}
	})
}

// No sequence of frames breaks the machine or opens a session that nobody gave.
func FuzzMachine(f *testing.F) {
	f.Add(offer(tag(disc.ACCookie, "cookie")).Frame(), packet(disc.PADS, 5, tag(disc.HostUniq, string(uniq))).Frame())
	f.Add(offer().Frame(), packet(disc.PADS, 0, tag(disc.HostUniq, string(uniq)), tag(disc.ACSystemError, "x")).Frame())
	f.Fuzz(func(t *testing.T, a, b []byte) {
		m := newMachine(nil)
		m.Start(0, 1500)
		m.Frame(1, a)
		m.Frame(2, b)
		if s, ok := m.Session(); ok && (s.ID == 0 || s.MaxPayload < disc.Payload || s.MaxPayload > 1500 || len(s.ACName) > 128) {
			t.Fatalf("session %+v", s)
		}
		for _, f := range m.Take().Frames {
			if _, err := disc.Parse(f); err != nil {
				t.Fatalf("sent %x: %v", f, err)
			}
		}
		if m.State() != disc.Open && m.State() != disc.Refused && m.Deadline() == disc.Never {
			t.Fatal("waits for nothing")
		}
	})
}
