package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/uplink"
)

// open opens a channel towards the box.
func (l *link) open(kind string, extra any) (ssh.Channel, error) {
	data := []byte(nil)
	if extra != nil {
		var err error
		if data, err = json.Marshal(extra); err != nil {
			return nil, err
		}
	}
	ch, reqs, err := uplink.Open(l.ssh, l.gone, kind, data)
	if refusal := (*ssh.OpenChannelError)(nil); err != nil {
		if asRefusal(err, &refusal) {
			return nil, fmt.Errorf("%w: %.200q", ErrRefused, refusal.Message)
		}
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	go ssh.DiscardRequests(reqs)
	return ch, nil
}

// Shell implements Box.
func (l *link) Shell(ctx context.Context, s uplink.Shell, record io.Writer) (Shell, error) {
	ch, err := l.open(uplink.ChannelShell, s)
	if err != nil {
		return nil, fmt.Errorf("open shell of %s: %w", l.claim.Asset, err)
	}
	sh := &shell{Channel: ch}
	sh.stop = context.AfterFunc(ctx, func() { ch.Close() })
	if record != nil {
		if sh.rec, err = newRecording(record, s); err != nil {
			ch.Close()
			return nil, fmt.Errorf("record shell of %s: %w", l.claim.Asset, err)
		}
	}
	return sh, nil
}

// shell is one session.
type shell struct {
	ssh.Channel
	rec  *recording
	stop func() bool
}

// Read records what it reads before it returns it: a session that cannot be
// recorded ends.
func (s *shell) Read(p []byte) (int, error) {
	n, err := s.Channel.Read(p)
	if s.rec != nil && n > 0 {
		if e := s.rec.output(p[:n]); e != nil {
			s.Close()
			return 0, fmt.Errorf("record shell: %w", e)
		}
	}
	return n, err
}

func (s *shell) Close() error {
	s.stop()
	return s.Channel.Close()
}

func (s *shell) Resize(width, height int) error {
	data, err := json.Marshal(uplink.Size{Width: width, Height: height})
	if err != nil {
		return err
	}
	if s.rec != nil {
		if err := s.rec.resize(width, height); err != nil {
			return fmt.Errorf("record shell: %w", err)
		}
	}
	_, err = s.SendRequest(uplink.RequestResize, false, data)
	return err
}

// logs opens channel Logs and asks.
func (l *link) logs(ctx context.Context, r *uplink.LogRequest, answer uplink.Message) (ssh.Channel, error) {
	ch, err := l.open(uplink.ChannelLogs, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.server.cfg.Limits.Answer)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { ch.Close() })
	defer stop()
	if err = uplink.WriteFrame(ch, r, uplink.MaxFrame); err == nil {
		var f uplink.Frame
		if f, err = uplink.ReadFrame(ch, uplink.MaxFrame); err == nil {
			err = f.Into(answer)
		}
	}
	if refusal := (*uplink.Refused)(nil); asRefusal(err, &refusal) {
		err = fmt.Errorf("%w: %s", ErrRefused, refusal.Reason)
	}
	if err != nil {
		ch.Close()
		return nil, err
	}
	return ch, nil
}

// Logs implements Box.
func (l *link) Logs(ctx context.Context) ([]uplink.Log, error) {
	list := &uplink.LogList{}
	ch, err := l.logs(ctx, &uplink.LogRequest{}, list)
	if err != nil {
		return nil, fmt.Errorf("list logs of %s: %w", l.claim.Asset, err)
	}
	_ = ch.Close() // the box has closed it too
	return list.Logs, nil
}

// Log implements Box.
func (l *link) Log(ctx context.Context, r uplink.LogRequest) (*uplink.LogHeader, io.ReadCloser, error) {
	h := &uplink.LogHeader{}
	ch, err := l.logs(ctx, &r, h)
	if err != nil {
		return nil, nil, fmt.Errorf("read log of %s: %w", l.claim.Asset, err)
	}
	stop := context.AfterFunc(ctx, func() { ch.Close() })
	return h, &logBody{Channel: ch, left: h.Length, stop: stop}, nil
}

// logBody is the bytes of a log; io.ErrUnexpectedEOF tells that some are
// missing.
type logBody struct {
	ssh.Channel
	left int64
	stop func() bool
}

func (b *logBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.Channel.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == io.EOF && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *logBody) Close() error {
	b.stop()
	return b.Channel.Close()
}
