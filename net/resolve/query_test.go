package resolve

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func question(name string) Query {
	return Query{Question: dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}, DNSSEC: true}
}

// asked builds a query and returns the message that answers it.
func asked(t testing.TB, q Query) (*expected, *dnsmessage.Message) {
	b, e, err := q.wire()
	if err != nil {
		t.Fatal(err)
	}
	var m dnsmessage.Message
	if err := m.Unpack(b); err != nil {
		t.Fatal(err)
	}
	m.Response = true
	m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 60},
		Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}}}}
	return e, &m
}

// What a query looks like: one question, our EDNS, letters and numbers that
// differ each time.
func TestQuery(t *testing.T) {
	names, ids := map[string]bool{}, map[uint16]bool{}
	for range 64 {
		e, m := asked(t, question("www.a-rather-long-name.example."))
		names[m.Questions[0].Name.String()], ids[m.ID] = true, true
		opt := m.Additionals[0].Header
		if len(m.Questions) != 1 || !m.RecursionDesired || opt.Type != dnsmessage.TypeOPT || int(opt.Class) != UDPSize || !opt.DNSSECAllowed() ||
			!sameName(m.Questions[0].Name, e.question.Name) {
			t.Fatalf("query %+v", m)
		}
	}
	if len(names) < 60 || len(ids) < 60 {
		t.Errorf("64 queries have %d spellings and %d numbers", len(names), len(ids))
	}
}

// What is an answer and what is not.
func TestRead(t *testing.T) {
	same := func(*dnsmessage.Message) {}
	for _, tt := range []struct {
		name   string
		change func(*dnsmessage.Message)
		raw    func([]byte) []byte
		want   error
	}{
		{"good", same, nil, nil},
		{"another number", func(m *dnsmessage.Message) { m.ID++ }, nil, ErrMismatch},
		{"a query", func(m *dnsmessage.Message) { m.Response = false }, nil, ErrMismatch},
		{"another operation", func(m *dnsmessage.Message) { m.OpCode = 4 }, nil, ErrMismatch},
		{"no question", func(m *dnsmessage.Message) { m.Questions = nil }, nil, ErrMismatch},
		{"two questions", func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }, nil, ErrMismatch},
		{"another name", func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("www.b.example.") }, nil, ErrMismatch},
		{"another type", func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeMX }, nil, ErrMismatch},
		{"another class", func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }, nil, ErrMismatch},
		{"other letters", func(m *dnsmessage.Message) {
			m.Questions[0].Name = dnsmessage.MustNewName(flipped(m.Questions[0].Name.String()))
		}, nil, errCase},
		{"cut", func(m *dnsmessage.Message) { m.Truncated = true }, nil, nil},
		{"records cut off, not marked", same, func(b []byte) []byte { return b[:len(b)-20] }, ErrMismatch},
		{"empty", same, func([]byte) []byte { return nil }, ErrMismatch},
	} {
		e, m := asked(t, question("www.a.example."))
		tt.change(m)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if tt.raw != nil {
			b = tt.raw(b)
		}
		got, err := e.read(b)
		if !errors.Is(err, tt.want) || err == nil && got.Truncated != m.Truncated {
			t.Errorf("%s: %+v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

func flipped(s string) string {
	if up := strings.ToUpper(s); up != s {
		return up
	}
	return strings.ToLower(s)
}

// Letters and EDNS of this hop do not get further.
func TestRestore(t *testing.T) {
	q := question("www.A.example.")
	_, m := asked(t, q)
	q.restore(m)
	if m.Questions[0] != q.Question || m.Answers[0].Header.Name != q.Question.Name || len(m.Additionals) != 0 {
		t.Errorf("restored %+v", m)
	}
}

func FuzzRead(f *testing.F) {
	_, m := asked(f, question("www.a.example."))
	b, _ := m.Pack()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		q := question("www.a.example.")
		e, _ := asked(t, q)
		if len(b) > 2 {
			b[0], b[1] = byte(e.id>>8), byte(e.id)
		}
		if m, err := e.read(b); err == nil {
			q.restore(m)
			m.Pack()
		}
	})
}
