package dnsd

import (
	"context"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"waymark/net/resolve"
)

// ask puts a question to the resolvers.
type ask func(context.Context, resolve.Query) (*dnsmessage.Message, error)

// Stats count what a forwarder did.
type Stats struct {
	Queries, Cached, Forwarded, Failed, Refused, Malformed, Dropped uint64
	Entries                                                         int // in the cache
}

// answerer turns questions into answers. Safe for any goroutine.
type answerer struct {
	ask ask

	mu     sync.Mutex // guards the rest
	cache  *cache
	flying map[key]*flight
	stats  Stats
}

// flight is a question that was put and not answered yet.
type flight struct {
	done chan struct{}
	msg  *dnsmessage.Message // nil: nobody answers
}

func newAnswerer(a ask) *answerer {
	return &answerer{ask: a, cache: newCache(), flying: map[key]*flight{}}
}

// Transfers of zones are nobody's business here.
const (
	typeIXFR = 251
	typeAXFR = 252
)

// answer is the answer to a question as it came, by UDP or TCP; nil for none.
func (s *answerer) answer(ctx context.Context, b []byte, tcp bool) []byte {
	var in dnsmessage.Message
	if err := in.Unpack(b); err != nil || in.Response {
		s.count(func(t *Stats) { t.Malformed++ })
		return nil
	}
	out, room := s.reply(ctx, &in), 0
	if !tcp {
		room, _, _ = udpRoom(&in)
	}
	return pack(&in, out, room)
}

// reply is what a host is told.
func (s *answerer) reply(ctx context.Context, in *dnsmessage.Message) *dnsmessage.Message {
	s.count(func(t *Stats) { t.Queries++ })
	switch code, ok := refuse(in); {
	case !ok:
		s.count(func(t *Stats) { t.Refused++ })
		return &dnsmessage.Message{Header: dnsmessage.Header{RCode: code}}
	default:
		_, _, dnssec := udpRoom(in)
		m := s.find(ctx, resolve.Query{Question: in.Questions[0], CheckingDisabled: in.CheckingDisabled, DNSSEC: dnssec})
		if m == nil {
			return &dnsmessage.Message{Header: dnsmessage.Header{RCode: dnsmessage.RCodeServerFailure}}
		}
		return m
	}
}

// refuse says what is not forwarded.
func refuse(in *dnsmessage.Message) (dnsmessage.RCode, bool) {
	switch {
	case in.OpCode != 0:
		return dnsmessage.RCodeNotImplemented, false
	case len(in.Questions) != 1:
		return dnsmessage.RCodeFormatError, false
	case in.Questions[0].Class != dnsmessage.ClassINET, in.Questions[0].Type == typeAXFR, in.Questions[0].Type == typeIXFR:
		return dnsmessage.RCodeRefused, false
	}
	return 0, true
}

// find answers from the cache, or asks; a question that is under way is not put
// twice, so that guessing at its answer is as hard as ever.
func (s *answerer) find(ctx context.Context, q resolve.Query) *dnsmessage.Message {
	k := keyOf(q)
	s.mu.Lock()
	if m := s.cache.get(k, time.Now()); m != nil {
		s.stats.Cached++
		s.mu.Unlock()
		return m
	}
	f := s.flying[k]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		s.flying[k] = f
		s.stats.Forwarded++
		s.mu.Unlock()
		s.fly(ctx, k, q, f)
		return f.msg
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.msg
	case <-ctx.Done():
		return nil
	}
}

// fly asks and tells all who wait.
func (s *answerer) fly(ctx context.Context, k key, q resolve.Query, f *flight) {
	m, err := s.ask(ctx, q)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flying, k)
	defer close(f.done)
	if err != nil {
		s.stats.Failed++
		return
	}
	f.msg = m
	if b, err := m.Pack(); err == nil {
		s.cache.put(k, m, len(b), time.Now())
	}
}

func (s *answerer) count(fn func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(&s.stats)
}

// pack makes the answer fit the host that asked: its number, its letters, its
// EDNS, its room. Cut, it carries the question alone.
func pack(in, m *dnsmessage.Message, room int) []byte {
	out := *m
	out.ID, out.Response, out.OpCode, out.Truncated = in.ID, true, in.OpCode, false
	out.RecursionDesired, out.RecursionAvailable, out.CheckingDisabled = in.RecursionDesired, true, in.CheckingDisabled
	out.Authoritative = false
	out.Questions = in.Questions
	out.Answers = respell(m.Answers, in.Questions)
	if _, edns, dnssec := udpRoom(in); edns {
		var h dnsmessage.ResourceHeader
		if h.SetEDNS0(resolve.UDPSize, out.RCode, dnssec) == nil {
			out.Additionals = append(out.Additionals[:len(out.Additionals):len(out.Additionals)],
				dnsmessage.Resource{Header: h, Body: &dnsmessage.OPTResource{}})
		}
	}
	b, err := out.Pack()
	if room > 0 && (err != nil || len(b) > room) {
		out.Truncated = true
		out.Answers, out.Authorities = nil, nil
		out.Additionals = out.Additionals[len(m.Additionals):]
		b, err = out.Pack()
	}
	if err != nil {
		return nil
	}
	return b
}

// respell gives owners of records that are the question's name its letters.
func respell(list []dnsmessage.Resource, q []dnsmessage.Question) []dnsmessage.Resource {
	if len(q) != 1 {
		return list
	}
	out := append([]dnsmessage.Resource(nil), list...)
	for i := range out {
		if strings.EqualFold(out[i].Header.Name.String(), q[0].Name.String()) {
			out[i].Header.Name = q[0].Name
		}
	}
	return out
}
