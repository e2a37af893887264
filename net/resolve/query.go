package resolve

import (
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	crand "crypto/rand"
)

// Query is one question, as a resolver is asked.
type Query struct {
	Question         dnsmessage.Question
	CheckingDisabled bool
	DNSSEC           bool // signatures are wanted (the DO bit)
}

// UDPSize is the largest answer by UDP that we take, in bytes: what passes every
// path without fragments (DNS flag day 2020).
const UDPSize = 1232

// Errors of an exchange.
var (
	ErrMismatch = errors.New("no answer to the question")
	errCase     = errors.New("the resolver changes letters of names")
)

// wire builds a query that nobody can guess: a random number, and letters of the
// name in random case.
func (q *Query) wire() ([]byte, *expected, error) {
	var secret [34]byte
	crand.Read(secret[:])
	name, err := dnsmessage.NewName(randomCase(q.Question.Name.String(), secret[2:]))
	if err != nil {
		return nil, nil, err
	}
	e := &expected{id: binary.BigEndian.Uint16(secret[:]), question: q.Question}
	e.question.Name = name
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: e.id, RecursionDesired: true, CheckingDisabled: q.CheckingDisabled})
	var opt dnsmessage.ResourceHeader
	err = errors.Join(b.StartQuestions(), b.Question(e.question), b.StartAdditionals(),
		opt.SetEDNS0(UDPSize, dnsmessage.RCodeSuccess, q.DNSSEC), b.OPTResource(opt, dnsmessage.OPTResource{}))
	if err != nil {
		return nil, nil, err
	}
	msg, err := b.Finish()
	return msg, e, err
}

// randomCase gives each letter a case by one bit of secret.
func randomCase(s string, secret []byte) string {
	b := []byte(strings.ToLower(s))
	for i, c := range b {
		if c >= 'a' && c <= 'z' && secret[i/8%len(secret)]>>(i%8)&1 != 0 {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// expected is what the answer to a query has to carry.
type expected struct {
	id       uint16
	question dnsmessage.Question
}

// read takes an answer. ErrMismatch: it is not the answer, which may still come;
// errCase: it would be if letters did not count.
func (e *expected) read(b []byte) (*dnsmessage.Message, error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || !h.Response || h.ID != e.id || h.OpCode != 0 {
		return nil, ErrMismatch
	}
	q, err := p.Question()
	if err != nil || q.Type != e.question.Type || q.Class != e.question.Class || !sameName(q.Name, e.question.Name) {
		return nil, ErrMismatch
	}
	if _, err := p.Question(); err != dnsmessage.ErrSectionDone {
		return nil, ErrMismatch
	}
	var m dnsmessage.Message
	if !h.Truncated { // a cut one is asked for again, whole
		if err := m.Unpack(b); err != nil {
			return nil, ErrMismatch
		}
	} else {
		m.Header = h
	}
	if q.Name != e.question.Name {
		return &m, errCase
	}
	return &m, nil
}

func sameName(a, b dnsmessage.Name) bool { return strings.EqualFold(a.String(), b.String()) }

// restore takes the random case out of a message again and what belongs to this
// hop only: names equal to the question's get its letters, OPT goes.
func (q *Query) restore(m *dnsmessage.Message) {
	m.Questions = []dnsmessage.Question{q.Question}
	for _, section := range []*[]dnsmessage.Resource{&m.Answers, &m.Authorities, &m.Additionals} {
		kept := (*section)[:0]
		for _, r := range *section {
			if r.Header.Type == dnsmessage.TypeOPT {
				continue
			}
			if sameName(r.Header.Name, q.Question.Name) {
				r.Header.Name = q.Question.Name
			}
			kept = append(kept, r)
		}
		*section = kept
	}
}
