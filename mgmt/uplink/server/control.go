package server

import (
	"context"
	"errors"
	"fmt"
	"io"

	"waymark/mgmt/uplink"
)

// readControl takes answers of the box until the connection ends. A box that
// says what it was not asked is closed.
func (l *link) readControl(ctx context.Context) {
	defer l.ssh.Close()
	for {
		f, err := uplink.ReadFrame(l.control, uplink.MaxFrame)
		if err != nil {
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				l.server.refused.Note("control of box", l.claim.Asset, err)
			}
			return
		}
		if l.asked.Swap(false) {
			l.answers <- f // has room: it was taken before the next question
		} else {
			l.server.refused.Note("control of box", l.claim.Asset, fmt.Errorf("kind %d without a question", f.Kind))
			return
		}
	}
}

// ask sends a request and reads its answer into answer. A box that does not
// answer in time is closed: nobody could tell what a later answer is for.
func (l *link) ask(ctx context.Context, m uplink.Message, limit int, answer uplink.Message) error {
	l.asking.Lock()
	defer l.asking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, l.server.cfg.Limits.Answer)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.ssh.Close() })()
	l.asked.Store(true)
	if err := l.send(m, limit); err != nil {
		if errors.Is(err, uplink.ErrTooLong) || errors.Is(err, uplink.ErrContent) {
			l.asked.Store(false)
			return err // nothing was sent
		}
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	select {
	case f := <-l.answers:
		err := f.Into(answer)
		if r := (*uplink.Refused)(nil); errors.As(err, &r) {
			return fmt.Errorf("%w: %s", ErrRefused, r.Reason)
		}
		return err
	case <-l.gone:
		return ErrGone
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrGone, ctx.Err())
	}
}

// SendConfig implements Box.
func (l *link) SendConfig(ctx context.Context, c *uplink.Config) (*uplink.ConfigState, error) {
	s := &uplink.ConfigState{}
	if err := l.ask(ctx, c, uplink.MaxConfig, s); err != nil {
		return nil, fmt.Errorf("send configuration to %s: %w", l.claim.Asset, err)
	}
	return s, nil
}

// SendBook implements Box.
func (l *link) SendBook(ctx context.Context, b *uplink.Book) error {
	if err := l.ask(ctx, b, uplink.MaxConfig, &uplink.Done{}); err != nil {
		return fmt.Errorf("send address book to %s: %w", l.claim.Asset, err)
	}
	return nil
}
