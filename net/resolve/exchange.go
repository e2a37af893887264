package resolve

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	dnsPort = 53
	// maxStrangers bounds the wrong answers that one exchange reads before it
	// gives up: somebody is guessing.
	maxStrangers = 64
)

// Exchange asks one resolver and returns its answer, whole: by UDP, and by TCP
// where that was cut or the resolver does not keep the letters of names. The
// context must have a deadline.
func Exchange(ctx context.Context, up Upstream, q Query) (*dnsmessage.Message, error) {
	m, err := exchange(ctx, "udp", up, q)
	if errors.Is(err, errCase) || err == nil && m.Truncated {
		m, err = exchange(ctx, "tcp", up, q)
		if errors.Is(err, errCase) {
			err = nil // a connection cannot be spoofed from aside
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", up.Server, err)
	}
	q.restore(m)
	return m, nil
}

func exchange(ctx context.Context, network string, up Upstream, q Query) (*dnsmessage.Message, error) {
	msg, want, err := q.wire()
	if err != nil {
		return nil, err
	}
	c, err := dial(ctx, network, up)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })() // fails on closed ones only
	if network == "tcp" {
		return overTCP(c, msg, want)
	}
	return overUDP(c, msg, want)
}

// dial connects to a resolver from the WAN's address. The kernel takes a port at
// random, and a connected socket hears nobody else.
func dial(ctx context.Context, network string, up Upstream) (net.Conn, error) {
	var d net.Dialer
	if up.Source.IsValid() {
		local := netip.AddrPortFrom(up.Source, 0)
		d.LocalAddr = net.UDPAddrFromAddrPort(local)
		if network == "tcp" {
			d.LocalAddr = net.TCPAddrFromAddrPort(local)
		}
	}
	return d.DialContext(ctx, network, netip.AddrPortFrom(up.Server, dnsPort).String())
}

func overUDP(c net.Conn, msg []byte, want *expected) (*dnsmessage.Message, error) {
	if _, err := c.Write(msg); err != nil {
		return nil, err
	}
	b := make([]byte, 4096)
	for range maxStrangers {
		n, err := c.Read(b)
		if err != nil {
			return nil, err
		}
		m, err := want.read(b[:n])
		if !errors.Is(err, ErrMismatch) {
			return m, err
		}
	}
	return nil, ErrMismatch
}

func overTCP(c net.Conn, msg []byte, want *expected) (*dnsmessage.Message, error) {
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, err
	}
	m, err := want.read(b)
	if err == nil && m.Truncated {
		return nil, fmt.Errorf("%w: cut though by TCP", ErrMismatch)
	}
	return m, err
}
