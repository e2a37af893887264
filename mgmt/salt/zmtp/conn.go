package zmtp

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Socket types that Salt uses. The value is what READY says.
const (
	REQ    = "REQ"
	ROUTER = "ROUTER"
	SUB    = "SUB"
	PUB    = "PUB"
)

// fits lists whom each socket type may talk to.
var fits = map[string][]string{
	REQ: {"ROUTER", "REP"}, ROUTER: {"REQ", "DEALER", "ROUTER"},
	SUB: {"PUB", "XPUB"}, PUB: {"SUB", "XSUB"},
}

// Options of a connection.
type Options struct {
	Socket   string // own socket type
	Identity string // sent by SUB if not empty; REQ and ROUTER always send it
	Minor    byte   // minor version that we offer: 0, or 1
	Max      int    // bytes of a message that are accepted
	// Timeout bounds the handshake and each write; 0 waits for ever.
	Timeout time.Duration
}

// Conn is a connection after the handshake. One goroutine may read while others
// write.
type Conn struct {
	c       net.Conn
	r       *bufio.Reader
	max     atomic.Int64
	timeout time.Duration
	writing sync.Mutex // guards writes, so that a PONG cannot cut a message
	// PeerIdentity is what the peer's READY said, "" if nothing.
	PeerIdentity string
}

// Message is what ReadMessage returns: frames of a message, or a command that
// is not the business of this package (SUBSCRIBE, CANCEL).
type Message struct {
	Parts   [][]byte
	Command string
	Data    []byte
}

// greeting is what both sides send first; Salt never uses as-server with NULL.
func greeting(minor byte) []byte {
	g := make([]byte, 64)
	g[0], g[8], g[9], g[10], g[11] = 0xff, 1, 0x7f, 3, minor
	copy(g[12:], "NULL")
	return g
}

// checkGreeting ignores bytes 1 to 8: libzmq writes a length of old there.
func checkGreeting(g []byte) error {
	if g[0] != 0xff || g[9]&1 != 1 || g[10] < 3 || !bytes.Equal(g[12:32], greeting(0)[12:32]) {
		return ErrGreeting
	}
	return nil
}

func (o Options) ready() []byte {
	p := property(nil, "Socket-Type", o.Socket)
	if o.Socket == REQ || o.Socket == ROUTER || o.Identity != "" {
		p = property(p, "Identity", o.Identity)
	}
	return appendFrame(nil, flagCommand, command("READY", p))
}

// Handshake greets the peer on c, which it does not close on failure. The order
// is free in ZMTP: both sides send without waiting, so that it cannot lock up.
func Handshake(c net.Conn, o Options) (*Conn, error) {
	z := &Conn{c: c, r: bufio.NewReaderSize(c, 4096), timeout: o.Timeout}
	z.SetMax(o.Max)
	if o.Timeout > 0 {
		if err := c.SetDeadline(time.Now().Add(o.Timeout)); err != nil {
			return nil, fmt.Errorf("greet peer: %w", err)
		}
	}
	if err := z.greet(o); err != nil {
		return nil, fmt.Errorf("greet peer: %w", err)
	}
	return z, c.SetDeadline(time.Time{})
}

func (z *Conn) greet(o Options) error {
	if _, err := z.c.Write(greeting(o.Minor)); err != nil {
		return err
	}
	var g [64]byte
	if _, err := io.ReadFull(z.r, g[:]); err != nil {
		return err
	}
	if err := checkGreeting(g[:]); err != nil {
		return err
	}
	if _, err := z.c.Write(o.ready()); err != nil {
		return err
	}
	flags, size, err := readHead(z.r, maxCommand)
	if err != nil {
		return err
	}
	body, err := readBody(z.r, size)
	if err != nil {
		return err
	}
	return z.checkReady(o.Socket, flags, body)
}

func (z *Conn) checkReady(own string, flags byte, body []byte) error {
	if flags&flagCommand == 0 {
		return fmt.Errorf("%w: a message before READY", ErrFrame)
	}
	name, data, err := parseCommand(body)
	if err != nil {
		return err
	}
	if name != "READY" {
		return fmt.Errorf("%w: %q before READY", ErrFrame, name)
	}
	props, err := parseProperties(data)
	if err != nil {
		return err
	}
	for name, value := range props {
		switch strings.ToLower(name) {
		case "socket-type":
			if !slices.Contains(fits[own], value) {
				return fmt.Errorf("%w: %s to %.16q", ErrSocket, own, value)
			}
		case "identity":
			z.PeerIdentity = value
		}
	}
	return nil
}

// ReadMessage returns the next message or command. PING is answered here. At the
// orderly end the error is io.EOF.
func (z *Conn) ReadMessage() (Message, error) {
	var m Message
	for left := int(z.max.Load()); ; {
		flags, size, err := readHead(z.r, left)
		if err != nil {
			if len(m.Parts) > 0 {
				err = noEOF(err)
			}
			return Message{}, err
		}
		body, err := readBody(z.r, size)
		if err != nil {
			return Message{}, err
		}
		if flags&flagCommand != 0 {
			done, err := z.command(&m, body)
			if done || err != nil {
				return m, err
			}
			continue
		}
		m.Parts = append(m.Parts, body)
		left -= size
		switch {
		case flags&flagMore == 0:
			return m, nil
		case len(m.Parts) == maxParts:
			return Message{}, fmt.Errorf("%w: more than %d parts", ErrFrame, maxParts)
		}
	}
}

// command handles a command; done means that m holds it.
func (z *Conn) command(m *Message, body []byte) (done bool, err error) {
	name, data, err := parseCommand(body)
	switch {
	case err != nil:
		return false, err
	case len(m.Parts) > 0:
		return false, fmt.Errorf("%w: command within a message", ErrFrame)
	case name == "PING":
		if len(data) < 2 || len(data) > 18 {
			return false, fmt.Errorf("%w: PING of %d bytes", ErrFrame, len(data))
		}
		return false, z.write(appendFrame(nil, flagCommand, command("PONG", data[2:])))
	case name == "PONG":
		return false, nil
	case name == "ERROR":
		return false, fmt.Errorf("%w: peer sent ERROR", ErrFrame)
	}
	m.Command, m.Data = name, data
	return true, nil
}

// Frames is the form of a message on the wire.
func Frames(parts ...[]byte) []byte {
	var out []byte
	for i, p := range parts {
		var flags byte
		if i < len(parts)-1 {
			flags = flagMore
		}
		out = appendFrame(out, flags, p)
	}
	return out
}

// WriteMessage sends one message.
func (z *Conn) WriteMessage(parts ...[]byte) error { return z.write(Frames(parts...)) }

// WriteFrames sends what Frames made, for many receivers of one message.
func (z *Conn) WriteFrames(frames []byte) error { return z.write(frames) }

// Subscribe asks a PUB for every message whose first part begins with topic.
// The form is that of ZMTP 3.0, which later peers take too.
func (z *Conn) Subscribe(topic string) error {
	return z.write(appendFrame(nil, 0, append([]byte{1}, topic...)))
}

func (z *Conn) write(b []byte) error {
	z.writing.Lock()
	defer z.writing.Unlock()
	if z.timeout > 0 {
		if err := z.c.SetWriteDeadline(time.Now().Add(z.timeout)); err != nil {
			return err
		}
	}
	_, err := z.c.Write(b)
	return err
}

// SetMax changes how many bytes a message may have.
func (z *Conn) SetMax(n int) { z.max.Store(int64(n)) }

// SetReadDeadline bounds ReadMessage.
func (z *Conn) SetReadDeadline(t time.Time) error { return z.c.SetReadDeadline(t) }

// RemoteAddr is the peer's address.
func (z *Conn) RemoteAddr() net.Addr { return z.c.RemoteAddr() }

// Close ends the connection and every call that waits on it.
func (z *Conn) Close() error { return z.c.Close() }
