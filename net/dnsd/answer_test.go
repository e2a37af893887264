package dnsd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"waymark/net/resolve"
)

// record is an A record of a name.
func record(name string, ttl uint32) dnsmessage.Resource {
	return dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: ttl},
		Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}}}
}

func soa(ttl, least uint32) dnsmessage.Resource {
	n := dnsmessage.MustNewName("example.")
	return dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: n, Type: dnsmessage.TypeSOA, Class: dnsmessage.ClassINET, TTL: ttl},
		Body: &dnsmessage.SOAResource{NS: n, MBox: n, MinTTL: least}}
}

// host asks as a host does; change may alter the question.
func host(t *testing.T, s *answerer, name string, tcp bool, change ...func(*dnsmessage.Message)) *dnsmessage.Message {
	t.Helper()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 77, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	for _, c := range change {
		c(&m)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	out := s.answer(context.Background(), b, tcp)
	if out == nil {
		return nil
	}
	var r dnsmessage.Message
	if err := r.Unpack(out); err != nil {
		t.Fatal(err)
	}
	if r.ID != 77 || !r.Response || !r.RecursionAvailable {
		t.Errorf("header %+v", r.Header)
	}
	return &r
}

// edns says that the host takes so many bytes.
func edns(size int) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) {
		var h dnsmessage.ResourceHeader
		_ = h.SetEDNS0(size, 0, true)
		m.Additionals = append(m.Additionals, dnsmessage.Resource{Header: h, Body: &dnsmessage.OPTResource{}})
	}
}

// upstream answers by the first label: a number is the TTL of one record, "big"
// has many, "none" does not exist, "fail" fails, "dead" does not answer.
type upstream struct{ asked atomic.Int32 }

func (u *upstream) ask(_ context.Context, q resolve.Query) (*dnsmessage.Message, error) {
	u.asked.Add(1)
	name := q.Question.Name.String()
	label, _, _ := strings.Cut(strings.ToLower(name), ".")
	m := &dnsmessage.Message{Questions: []dnsmessage.Question{q.Question}}
	var ttl uint32
	switch label {
	case "big":
		for range 60 {
			m.Answers = append(m.Answers, record(name, 60))
		}
	case "none":
		m.RCode, m.Authorities = dnsmessage.RCodeNameError, []dnsmessage.Resource{soa(100, 40)}
	case "odd":
		m.RCode = dnsmessage.RCodeNameError
	case "fail":
		m.RCode = dnsmessage.RCodeServerFailure
	case "dead":
		return nil, errors.New("no answer")
	default:
		fmt.Sscan(label, &ttl)
		m.Answers = []dnsmessage.Resource{record(name, ttl)}
	}
	return m, nil
}

// Questions that are refused, and by what.
func TestRefused(t *testing.T) {
	u := &upstream{}
	s := newAnswerer(u.ask)
	for _, tt := range []struct {
		name   string
		change func(*dnsmessage.Message)
		want   dnsmessage.RCode
	}{
		{"update", func(m *dnsmessage.Message) { m.OpCode = 5 }, dnsmessage.RCodeNotImplemented},
		{"no question", func(m *dnsmessage.Message) { m.Questions = nil }, dnsmessage.RCodeFormatError},
		{"two questions", func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }, dnsmessage.RCodeFormatError},
		{"chaos", func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }, dnsmessage.RCodeRefused},
		{"transfer", func(m *dnsmessage.Message) { m.Questions[0].Type = typeAXFR }, dnsmessage.RCodeRefused},
	} {
		if r := host(t, s, "60.example.", false, tt.change); r == nil || r.RCode != tt.want || u.asked.Load() != 0 {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
	if r := host(t, s, "60.example.", false, func(m *dnsmessage.Message) { m.Response = true }); r != nil {
		t.Errorf("an answer is answered: %+v", r)
	}
	if out := s.answer(context.Background(), []byte("no DNS"), false); out != nil || s.stats.Malformed != 2 {
		t.Errorf("garbage: %x, %+v", out, s.stats)
	}
}

// Answers keep the host's letters, have its EDNS or none, and fit its room.
func TestAnswers(t *testing.T) {
	s := newAnswerer((&upstream{}).ask)
	r := host(t, s, "60.ExAmPlE.", false)
	if r.Questions[0].Name.String() != "60.ExAmPlE." || r.Answers[0].Header.Name.String() != "60.ExAmPlE." || len(r.Additionals) != 0 {
		t.Errorf("%+v", r)
	}
	if r = host(t, s, "60.eXaMpLe.", false, edns(1232)); r.Answers[0].Header.Name.String() != "60.eXaMpLe." || len(r.Additionals) != 1 || !r.Additionals[0].Header.DNSSECAllowed() {
		t.Errorf("%+v", r)
	}
	for _, tt := range []struct {
		name string
		tcp  bool
		size int
		cut  bool
	}{{"plain", false, 0, true}, {"room for it", false, 1232, false}, {"little room", false, 600, true}, {"says 100, must take 512", false, 100, true}, {"TCP", true, 0, false}} {
		var change []func(*dnsmessage.Message)
		if tt.size > 0 {
			change = append(change, edns(tt.size))
		}
		r := host(t, s, "big.example.", tt.tcp, change...)
		if r.Truncated != tt.cut || (len(r.Answers) == 60) == tt.cut || len(r.Additionals) != len(change) {
			t.Errorf("%s: cut %t, %d records, %d additional", tt.name, r.Truncated, len(r.Answers), len(r.Additionals))
		}
	}
	for name, want := range map[string]dnsmessage.RCode{"none": 3, "fail": 2, "dead": 2} {
		if r := host(t, s, name+".example.", false); r.RCode != want {
			t.Errorf("%s: %v", name, r.RCode)
		}
	}
}

// How long answers are kept, and what is not.
func TestCache(t *testing.T) {
	for _, tt := range []struct {
		name string
		keep time.Duration // 0: not at all
	}{{"60", time.Minute}, {"0", 0}, {"7", 7 * time.Second}, {"900000", time.Hour}, {"none", 40 * time.Second}, {"odd", 0}, {"fail", 0}, {"dead", 0}} {
		synctest.Test(t, func(t *testing.T) {
			u := &upstream{}
			s := newAnswerer(u.ask)
			host(t, s, tt.name+".example.", false)
			if tt.keep > 0 {
				time.Sleep(tt.keep - time.Second)
				r := host(t, s, tt.name+".example.", false)
				if n := u.asked.Load(); n != 1 {
					t.Errorf("%s: asked %d times within %v", tt.name, n, tt.keep)
				}
				if len(r.Answers) > 0 && tt.keep < time.Hour && r.Answers[0].Header.TTL != 1 {
					t.Errorf("%s: TTL %d", tt.name, r.Answers[0].Header.TTL)
				}
				time.Sleep(time.Second)
			}
			host(t, s, tt.name+".example.", false)
			if n := u.asked.Load(); n != 2 {
				t.Errorf("%s: asked %d times, want 2", tt.name, n)
			}
		})
	}
}

func TestCacheIsBounded(t *testing.T) {
	u := &upstream{}
	s := newAnswerer(u.ask)
	for i := range 3 * maxEntries {
		host(t, s, fmt.Sprintf("60.n%d.example.", i), false)
		host(t, s, "60.popular.example.", false)
	}
	if n := len(s.cache.byKey); n != maxEntries || s.cache.used.Len() != n || u.asked.Load() != 3*maxEntries+1 {
		t.Errorf("%d entries, %d asked", n, u.asked.Load())
	}
	host(t, s, "60.popular.example.", false, edns(1232)) // signatures wanted: another question
	if u.asked.Load() != 3*maxEntries+2 {
		t.Error("DNSSEC is answered without")
	}
}

// Equal questions in flight are one.
func TestFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{}
		s := newAnswerer(func(ctx context.Context, q resolve.Query) (*dnsmessage.Message, error) {
			time.Sleep(time.Second)
			return u.ask(ctx, q)
		})
		for i := range 50 {
			name := dnsmessage.MustNewName([]string{"60.example.", "60.EXAMPLE."}[i%2])
			go s.find(t.Context(), resolve.Query{Question: dnsmessage.Question{Name: name, Type: 1, Class: 1}})
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if n := u.asked.Load(); n != 1 || len(s.flying) != 0 || s.stats.Forwarded != 1 {
			t.Errorf("asked %d times, %+v", n, s.stats)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("big.example."), Type: 1, Class: 1}}}
	b, _ := m.Pack()
	f.Add(b, false)
	f.Add(b, true)
	s := newAnswerer((&upstream{}).ask)
	f.Fuzz(func(t *testing.T, b []byte, tcp bool) {
		if out := s.answer(context.Background(), b, tcp); !tcp && len(out) > 4096 {
			t.Fatalf("%d bytes by UDP", len(out))
		}
	})
}
