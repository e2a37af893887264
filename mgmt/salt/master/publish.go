package master

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"waymark/mgmt/door"
	"waymark/mgmt/salt"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/zmtp"
)

// Job is what to publish.
type Job struct {
	Fun        any    // a name, or []any of names
	Args       []any  // of one function, or a list for each
	Target     any    // text, or []any of ids
	TargetType string // "" is glob
	User       string // "" is conductor
}

// subscriber is one connection that listens. Nobody has to prove a key for it:
// what it hears is sealed.
type subscriber struct {
	queue chan []byte // frames, shared with the others; closed by nobody
}

type subscribers struct {
	mu  sync.Mutex
	all map[*subscriber]bool
}

// Publish seals a job, queues it for every subscriber and returns its id.
// Nothing is waited for: a subscriber whose queue is full is cut off and comes
// back, and a box that does not listen does not return.
func (m *Master) Publish(j Job) (jid string, err error) {
	if j.TargetType == "" {
		j.TargetType = "glob"
	}
	if j.User == "" {
		j.User = "conductor"
	}
	if j.Args == nil {
		j.Args = []any{}
	}
	m.mu.Lock()
	defer m.mu.Unlock() // keeps serials in the order of the queues
	jid = m.nextJID(time.Now())
	m.serial++
	load := msgpack.KV("fun", j.Fun, "arg", j.Args, "tgt", j.Target, "jid", jid, "ret", "", "tgt_type", j.TargetType, "user", j.User, "serial", m.serial)
	if _, err := salt.ParseJob(load); err != nil {
		return "", fmt.Errorf("publish: %w", err)
	}
	payload, err := m.authority.Publication(m.cfg.Alg, m.publish, load)
	if err != nil {
		return "", fmt.Errorf("publish: %w", err)
	}
	m.subs.send(zmtp.Frames(payload), m.refused)
	return jid, nil
}

// nextJID is the time in microseconds, one more if that was given already.
// Caller holds mu.
func (m *Master) nextJID(now time.Time) string {
	t := max(now.UnixMicro(), m.lastJID+1)
	m.lastJID = t
	at := time.UnixMicro(t).UTC()
	return at.Format("20060102150405") + fmt.Sprintf("%06d", at.Nanosecond()/1000)
}

// errSlow: a subscriber does not read.
var errSlow = errors.New("subscriber does not keep up")

func (s *subscribers) send(frames []byte, r *door.Refused) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.all {
		select {
		case sub.queue <- frames:
		default:
			r.Note("subscriber", "slow", errSlow)
			delete(s.all, sub)
			close(sub.queue) // send is the only writer, under mu
		}
	}
}

func (s *subscribers) add(n int) *subscriber {
	sub := &subscriber{make(chan []byte, n)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*subscriber]bool{}
	}
	s.all[sub] = true
	return sub
}

func (s *subscribers) remove(sub *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sub)
}

// Subscribers are how many listen.
func (m *Master) Subscribers() int {
	m.subs.mu.Lock()
	defer m.subs.mu.Unlock()
	return len(m.subs.all)
}

// maxSubscribe bounds what a subscriber may send: topics.
const maxSubscribe = 256

// serveSubscriber sends publications to one connection, from its first
// subscription that takes everything or names the topic of all or of a minion.
func (m *Master) serveSubscriber(ctx context.Context, c net.Conn, opened func()) {
	z, err := zmtp.Handshake(c, zmtp.Options{Socket: zmtp.PUB, Minor: 1, Max: maxSubscribe, Timeout: m.cfg.Limits.Handshake})
	if err != nil {
		m.noteEnd("handshake", c, err)
		return
	}
	// Without a subscription it is still half-open.
	if err := z.SetReadDeadline(time.Now().Add(m.cfg.Limits.Handshake)); err != nil {
		return
	}
	if err := awaitTopic(z); err != nil {
		m.noteEnd("handshake", c, err)
		return
	}
	if err := z.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	if m.known(door.Host(c)) {
		opened() // others are served too, and give way first: subscriptions prove nothing
	}
	sub := m.subs.add(m.cfg.Limits.Queue)
	defer m.subs.remove(sub)
	ended := make(chan struct{})
	go func() { // who sends more topics is heard out; the end is what matters
		defer close(ended)
		for awaitTopic(z) == nil {
		}
	}()
	defer func() { c.Close(); <-ended }()
	for {
		select {
		case frames, ok := <-sub.queue:
			if !ok || z.WriteFrames(frames) != nil {
				return
			}
		case <-ended:
			return
		case <-ctx.Done():
			return
		}
	}
}

// awaitTopic waits for the next subscription, in either form: a message 01 topic
// (ZMTP 3.0) or a command (3.1). What is unsubscribed is not believed: minions
// close instead.
func awaitTopic(z *zmtp.Conn) error {
	for {
		m, err := z.ReadMessage()
		switch {
		case err != nil:
			return err
		case m.Command == "SUBSCRIBE":
			return nil
		case len(m.Parts) == 1 && bytes.HasPrefix(m.Parts[0], []byte{1}):
			return nil
		}
	}
}
