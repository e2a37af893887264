package master

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"waymark/mgmt/door"
	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/zmtp"
)

// serveRequests answers one connection, one request after the other.
func (m *Master) serveRequests(ctx context.Context, c net.Conn, opened func()) {
	l := m.cfg.Limits
	z, err := zmtp.Handshake(c, zmtp.Options{Socket: zmtp.ROUTER, Minor: 1, Max: l.Stranger, Timeout: l.Handshake})
	if err != nil {
		m.noteEnd("handshake", c, err)
		return
	}
	proven := false // until then it is half-open: a stranger's
	for {
		if err := z.SetReadDeadline(time.Now().Add(l.Idle)); err != nil {
			return
		}
		msg, err := z.ReadMessage()
		if err != nil {
			m.noteEnd("request", c, err)
			return
		}
		n := len(msg.Parts)
		if n < 2 || len(msg.Parts[n-2]) > 0 {
			m.refused.Note("request", door.Host(c), fmt.Errorf("%w: %d parts", zmtp.ErrFrame, n))
			return
		}
		reply, who := m.answer(ctx, msg.Parts[n-1], door.Host(c))
		if who != "" && !proven {
			proven = true
			z.SetMax(l.Message)
			m.remember(door.Host(c))
			opened()
		}
		if err := z.WriteMessage(append(msg.Parts[:n-1:n-1], reply)...); err != nil {
			return
		}
	}
}

// maxProven bounds the addresses that are remembered.
const maxProven = 16384

// remember keeps the address of a minion that proved its key: subscriptions from
// there are no strangers'.
func (m *Master) remember(addr string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.proven[addr]; known || len(m.proven) < maxProven {
		m.proven[addr] = m.now()
	}
}

func (m *Master) known(addr string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.proven[addr]
	return ok
}

// forgetAddresses drops those that nobody proved anything from for long.
func (m *Master) forgetAddresses(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for addr, at := range m.proven {
		if now.Sub(at) > keyLife {
			delete(m.proven, addr)
		}
	}
}

// noteEnd tells how a connection ended, unless it was orderly.
func (m *Master) noteEnd(kind string, c net.Conn, err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) && kind != "handshake" {
		return
	}
	if errors.Is(err, zmtp.ErrTooLarge) {
		kind = "oversized frame"
	}
	m.refused.Note(kind, door.Host(c), err)
}

// badLoad is what stock masters answer to whatever they cannot believe.
var badLoad = salt.Text("bad load")

// answer returns the reply to a request and the id of the minion if the request
// proved it.
func (m *Master) answer(ctx context.Context, payload []byte, from string) (reply []byte, who string) {
	if len(payload) > m.cfg.Limits.Stranger {
		m.large <- struct{}{} // decoding needs a multiple of the bytes
		defer func() { <-m.large }()
	}
	r, err := salt.ParseRequest(payload)
	if err != nil {
		m.refused.Note("request", from, err)
		return badLoad, ""
	}
	if r.Clear != nil {
		reply, err = m.clear(r, from)
	} else {
		reply, who, err = m.sealed(ctx, r, from)
	}
	if err != nil {
		m.refused.Note("request", from, err)
	}
	if reply == nil {
		reply = badLoad
	}
	return reply, who
}

// Errors of requests.
var (
	errCommand = errors.New("unknown command")
	errToken   = errors.New("tok or id is not the key's")
	errAge     = errors.New("too old")
	errKey     = errors.New("no key of this minion is accepted")
	errDenied  = errors.New("another key has this id")
)

// clear answers what comes in clear: claims, and nothing else.
func (m *Master) clear(r *salt.Request, from string) ([]byte, error) {
	if cmd := r.Clear.Text("cmd"); cmd != "_auth" {
		return nil, fmt.Errorf("%w %.32q in clear", errCommand, cmd)
	}
	if r.Alg.Enc != crypt.OAEPSHA1 && r.Alg.Enc != crypt.OAEPSHA224 {
		return salt.BadAlgorithm("bad enc algo"), crypt.ErrAlgorithm
	}
	if r.Alg.Sig != crypt.PKCSSHA1 && r.Alg.Sig != crypt.PKCSSHA224 {
		return salt.BadAlgorithm("bad sig algo"), crypt.ErrAlgorithm
	}
	m.claims <- struct{}{}
	defer func() { <-m.claims }()
	id, nonce := r.Clear.Text("id"), r.Clear.Text("nonce")
	key, err := crypt.ParsePublic(r.Clear.Text("pub"))
	if err != nil || !salt.ValidID(id) || len(nonce) > 64 {
		reply, _ := m.authority.Refuse(r.Alg, salt.Rejected, "")
		return reply, fmt.Errorf("%w: claim of %.64q", salt.ErrMalformed, id)
	}
	if err := m.room(id); err != nil {
		reply, _ := m.authority.Refuse(r.Alg, salt.Full, nonce)
		return reply, err
	}
	verdict, err := m.cfg.Keys.Claim(Claim{ID: id, Key: key, From: from})
	if err != nil {
		reply, _ := m.authority.Refuse(r.Alg, salt.Full, nonce)
		return reply, err
	}
	if verdict != Accepted {
		reply, err := m.authority.Refuse(r.Alg, answerOf(verdict), nonce)
		if err == nil && verdict == Denied {
			err = fmt.Errorf("%w: %.64q", errDenied, id)
		}
		return reply, err
	}
	s := m.session(id, m.now())
	m.mu.Lock()
	publish := m.publish
	m.mu.Unlock()
	return m.authority.Accept(r, key, publish, s, int(m.port.Load()))
}

// session is the key of a minion's requests, made anew once a day.
func (m *Master) session(id string, now time.Time) *crypt.Crypticle {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[id]
	if !ok || now.Sub(s.made) > keyLife {
		key, _ := crypt.ParseKeyText(crypt.NewKeyText()) // a new text always parses
		s = session{key, now}
		m.sessions[id] = s
	}
	return s.key
}

// sealed answers an encrypted request. Only what the session key of the minion
// in the envelope opens is looked at.
func (m *Master) sealed(ctx context.Context, r *salt.Request, from string) (reply []byte, who string, err error) {
	m.mu.Lock()
	s, ok := m.sessions[r.ID]
	m.mu.Unlock()
	if !ok || r.Version < salt.Version3 {
		return nil, "", fmt.Errorf("%w: %.64q, version %d", errKey, r.ID, r.Version)
	}
	load, err := salt.OpenLoad(s.key, r.Sealed)
	if err != nil {
		return nil, "", err
	}
	key, err := m.check(r, load)
	if err != nil {
		return nil, "", err
	}
	nonce := load.Text("nonce")
	if load.Text("cmd") == "_pillar" {
		reply, err = m.pillar(ctx, r, from, key, load)
		return reply, r.ID, err
	}
	value, err := m.command(ctx, r.ID, load)
	if err != nil {
		return nil, r.ID, err
	}
	reply, err = m.authority.Reply(s.key, nonce, value)
	return reply, r.ID, err
}

// check proves that the load is of the minion whose key opened it.
func (m *Master) check(r *salt.Request, load msgpack.Map) (*crypt.Public, error) {
	e, err := m.cfg.Keys.Get(r.ID)
	if err != nil {
		return nil, err
	}
	if e.State != Accepted {
		return nil, errKey
	}
	key, err := crypt.ParsePublic(e.Key)
	if err != nil {
		return nil, err
	}
	if load.Text("id") != r.ID || key.VerifyX931([]byte("salt"), []byte(load.Text("tok"))) != nil || len(load.Text("nonce")) > 64 {
		return nil, fmt.Errorf("%w: %.64q", errToken, load.Text("id"))
	}
	ts, _ := load.Int("ts")
	if age := m.now().Sub(time.Unix(ts, 0)); m.cfg.MaxAge > 0 && (age > m.cfg.MaxAge || age < -m.cfg.MaxAge) {
		return nil, errAge
	}
	return key, nil
}

func (m *Master) pillar(ctx context.Context, r *salt.Request, from string, key *crypt.Public, load msgpack.Map) ([]byte, error) {
	grains, _ := load.Get("grains").(msgpack.Map)
	m.mu.Lock()
	m.minions[r.ID] = grains
	m.mu.Unlock()
	pillar := msgpack.Map{}
	if m.cfg.Pillar != nil {
		var err error
		if pillar, err = m.cfg.Pillar(ctx, r.ID, from, grains); err != nil {
			return nil, err
		}
	}
	return m.authority.Pillar(r.Alg, key, load.Text("nonce"), pillar)
}

// command answers what is neither claim nor pillar.
func (m *Master) command(ctx context.Context, id string, load msgpack.Map) (any, error) {
	switch cmd := load.Text("cmd"); cmd {
	case "_return":
		if m.cfg.OnReturn != nil {
			m.cfg.OnReturn(Return{id, load.Text("jid"), load})
		}
		return nil, nil
	case "_minion_event":
		m.events(id, load)
		return nil, nil
	case "_master_opts":
		return masterOpts(), nil
	case "_file_hash", "_file_find", "_file_list", "_serve_file":
		return m.file(ctx, cmd, load)
	case "_master_tops", "_mine", "_mine_get", "_mine_delete", "_mine_flush", "_ext_nodes":
		return msgpack.Map{}, nil // asked by stock minions; nothing is kept
	default:
		return nil, fmt.Errorf("%w %.32q", errCommand, cmd)
	}
}

func (m *Master) events(id string, load msgpack.Map) {
	if m.cfg.OnEvent == nil {
		return
	}
	list, ok := load.Get("events").([]any)
	if !ok {
		m.cfg.OnEvent(Event{id, load.Text("tag"), load.Get("data")})
		return
	}
	for _, v := range list {
		if e, ok := v.(msgpack.Map); ok {
			m.cfg.OnEvent(Event{id, e.Text("tag"), e.Get("data")})
		}
	}
}
