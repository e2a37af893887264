package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/meter"
)

// maxChannels bounds what a conductor opens at once.
const maxChannels = 8

// takeChannels serves what the conductor opens, until the connection ends.
func (s *session) takeChannels(ctx context.Context, parts *sync.WaitGroup) {
	room := make(chan struct{}, maxChannels)
	for n := range s.chans {
		serve := map[string]func(context.Context, ssh.NewChannel) error{
			uplink.ChannelShell: s.serveShell, uplink.ChannelLogs: s.serveLogs,
		}[n.ChannelType()]
		if serve == nil || !s.accepted.Load() {
			_ = n.Reject(ssh.Prohibited, "not now, or never") // fails with the connection
			continue
		}
		select {
		case room <- struct{}{}:
		default:
			_ = n.Reject(ssh.ResourceShortage, "too many channels")
			continue
		}
		parts.Go(func() {
			defer func() { <-room }()
			if err := serve(ctx, n); err != nil && ctx.Err() == nil {
				s.c.cfg.Log.Warn("uplink: channel ended", "type", n.ChannelType(), "conductor", s.c.cfg.Host, "err", err)
			}
		})
	}
}

// serveShell has the device serve a console.
func (s *session) serveShell(ctx context.Context, n ssh.NewChannel) error {
	var want uplink.Shell
	if err := uplink.DecodeExtra(n.ExtraData(), &want); err != nil || want.Level != "operator" && want.Level != "admin" {
		return errors.Join(err, n.Reject(ssh.Prohibited, "no such shell"))
	}
	ch, reqs, err := n.Accept()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sizes := make(chan uplink.Size)
	var resizer sync.WaitGroup
	resizer.Go(func() { resizes(ctx, reqs, sizes) })
	defer resizer.Wait()
	defer ch.Close()
	s.c.cfg.Device.Shell(ctx, want, ch, sizes)
	return nil
}

// resizes tells the sizes that a channel's requests ask for. It ends with the
// channel.
func resizes(ctx context.Context, reqs <-chan *ssh.Request, sizes chan<- uplink.Size) {
	for r := range reqs {
		var size uplink.Size
		ok := r.Type == uplink.RequestResize && uplink.DecodeExtra(r.Payload, &size) == nil
		if r.WantReply {
			_ = r.Reply(ok, nil) // fails with the connection
		}
		if !ok {
			continue
		}
		select {
		case sizes <- size:
		case <-ctx.Done():
		}
	}
}

// serveLogs answers one question about logs.
func (s *session) serveLogs(_ context.Context, n ssh.NewChannel) error {
	ch, reqs, err := n.Accept()
	if err != nil {
		return err
	}
	go ssh.DiscardRequests(reqs)
	defer ch.Close()
	f, err := uplink.ReadFrame(ch, uplink.MaxHello)
	var want uplink.LogRequest
	if err == nil {
		err = f.Into(&want)
	}
	if err != nil {
		return fmt.Errorf("read log request: %w", err)
	}
	if want.Name == "" {
		return s.listLogs(ch)
	}
	err = s.sendLog(ch, &want)
	if err != nil {
		return errors.Join(err, uplink.WriteFrame(ch, &uplink.Refused{Reason: uplink.Reason(err), Final: true}, uplink.MaxFrame))
	}
	return nil
}

func (s *session) listLogs(w io.Writer) error {
	list, err := s.c.cfg.Device.Logs()
	if err != nil {
		return errors.Join(err, uplink.WriteFrame(w, &uplink.Refused{Reason: uplink.Reason(err)}, uplink.MaxFrame))
	}
	return uplink.WriteFrame(w, &uplink.LogList{Logs: list}, uplink.MaxFrame)
}

// sendLog sends a log from an offset on. Its error is for the conductor: after
// the header there is none but the end of the stream.
func (s *session) sendLog(w io.Writer, want *uplink.LogRequest) error {
	file, info, err := s.c.cfg.Device.OpenLog(want.Name)
	if err != nil {
		return err
	}
	defer file.Close()
	if want.Offset > info.Size {
		return fmt.Errorf("%s has %d bytes, offset is %d", want.Name, info.Size, want.Offset)
	}
	h := &uplink.LogHeader{Log: info, Offset: want.Offset, Length: info.Size - want.Offset}
	if want.Limit > 0 {
		h.Length = min(h.Length, want.Limit)
	}
	if err := uplink.WriteFrame(w, h, uplink.MaxFrame); err != nil {
		return nil
	}
	_, _ = io.Copy(w, io.NewSectionReader(file, h.Offset, h.Length)) // what is missing the conductor counts
	return nil
}

// shared is a stream of Salt's, whose share of the connection's cost it is.
type shared struct {
	ssh.Channel
	shares *meter.Shares
}

// Read implements ssh.Channel.
func (c *shared) Read(p []byte) (int, error) {
	n, err := c.Channel.Read(p)
	c.shares.Received(shareSalt)
	return n, err
}

// Write implements ssh.Channel.
func (c *shared) Write(p []byte) (int, error) {
	c.shares.Sends(shareSalt)
	return c.Channel.Write(p)
}

// Close implements ssh.Channel.
func (c *shared) Close() error {
	c.shares.Sends(shareSalt)
	return c.Channel.Close()
}

// newStream makes a net.Conn, with deadlines, of a channel. It ends with ctx.
func newStream(ctx context.Context, ch ssh.Channel) net.Conn {
	near, far := net.Pipe()
	stop := context.AfterFunc(ctx, func() { far.Close() })
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(far, ch) // an end is an end
		far.Close()
	})
	both.Go(func() {
		_, _ = io.Copy(ch, far)
		ch.Close()
	})
	go func() {
		both.Wait()
		stop()
	}()
	return near
}
