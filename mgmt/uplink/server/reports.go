package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/uplink"
)

// takeReports serves channel Reports: one report after the other, each
// answered when the Conductor has it.
func (l *link) takeReports(ctx context.Context, n ssh.NewChannel) {
	defer l.ssh.Close() // without reports the connection is worth nothing
	ch, reqs, err := n.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	go ssh.DiscardRequests(reqs)
	at, err := l.server.cfg.Conductor.Position(ctx, l.claim.Asset)
	if err == nil {
		err = uplink.WriteFrame(ch, &at, uplink.MaxFrame)
	}
	for err == nil {
		err = l.takeReport(ctx, ch)
	}
	if !errors.Is(err, io.EOF) && ctx.Err() == nil {
		l.server.refused.Note("reports of box", l.claim.Asset, err)
	}
}

// takeReport reads and answers one report.
func (l *link) takeReport(ctx context.Context, ch ssh.Channel) error {
	f, err := uplink.ReadFrame(ch, uplink.MaxFrame)
	if err != nil {
		return err
	}
	m, err := f.Decode()
	if err == nil {
		err = l.keep(ctx, m)
	} else if errors.Is(err, uplink.ErrKind) {
		err = fmt.Errorf("%w: %w", ErrFinal, err)
	} else {
		return err // a box that does not keep to the protocol
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		l.server.refused.Note("report of box", l.claim.Asset, err)
		return uplink.WriteFrame(ch, &uplink.Refused{Reason: uplink.Reason(err), Final: errors.Is(err, ErrFinal)}, uplink.MaxFrame)
	}
	return uplink.WriteFrame(ch, &uplink.Done{}, uplink.MaxFrame)
}

// keep gives a report to the Conductor.
func (l *link) keep(ctx context.Context, m uplink.Message) error {
	c, asset := l.server.cfg.Conductor, l.claim.Asset
	switch m := m.(type) {
	case *uplink.Events:
		return c.Events(ctx, asset, m)
	case *uplink.Addresses:
		return c.Addresses(ctx, asset, m)
	case *uplink.Entitlement:
		return c.Entitlement(ctx, asset, m)
	case *uplink.ConfigState:
		return c.ConfigState(ctx, asset, m)
	}
	return fmt.Errorf("%w: kind %d is no report", ErrFinal, m.Kind())
}

// takeSalt joins a stream of the box with the Salt master.
func (l *link) takeSalt(ctx context.Context, n ssh.NewChannel) {
	var want uplink.Salt
	err := uplink.DecodeExtra(n.ExtraData(), &want)
	if err == nil && want.Port != 4505 && want.Port != 4506 {
		err = fmt.Errorf("port %d is none of Salt's", want.Port)
	}
	var up net.Conn
	if err == nil {
		up, err = l.server.cfg.Conductor.Salt(ctx, l.claim.Asset, want.Port)
	}
	if err != nil {
		l.server.refused.Note("salt stream", l.claim.Asset, err)
		_ = n.Reject(ssh.ConnectionFailed, uplink.Reason(err))
		return
	}
	defer up.Close()
	ch, reqs, err := n.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	go ssh.DiscardRequests(reqs)
	defer context.AfterFunc(ctx, func() { up.Close() })()
	join(ch, up)
}

// join copies between two streams until both directions have ended.
func join(a ssh.Channel, b net.Conn) {
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(b, a) // an end is an end
		if half, ok := b.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			return
		}
		b.Close()
	})
	both.Go(func() {
		_, _ = io.Copy(a, b)
		_ = a.CloseWrite()
	})
	both.Wait()
}
