package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"waymark/mgmt/uplink"
)

// connect joins the client's terminal with the console of a box. What the box
// writes is recorded.
func (s *Server) connect(ctx context.Context, c net.Conn, in *bufio.Reader, r *Request, id string) error {
	b, err := s.here(ctx, id)
	if err != nil {
		return err
	}
	record, err := s.record(id)
	if err != nil {
		return err
	}
	defer record.Close()
	sh, err := b.Shell(ctx, uplink.Shell{User: r.User, Level: "admin", Width: r.Width, Height: r.Height}, record)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", id, err)
	}
	s.Log.Info("conductor: session on a box", "asset", id, "user", r.User, "record", record.Name())
	if _, err := c.Write(line(Output{Raw: true})); err != nil {
		sh.Close()
		return err
	}
	var both sync.WaitGroup
	defer both.Wait()
	defer sh.Close()
	both.Go(func() {
		defer sh.Close()
		type terminal interface {
			io.Writer
			Resize(width, height int) error
		}
		typed(in, terminal(sh))
	})
	buf := make([]byte, 4096)
	for {
		n, err := sh.Read(buf)
		if n > 0 {
			if _, werr := c.Write(line(Output{Data: buf[:n]})); werr != nil {
				return werr
			}
		}
		if err != nil {
			_ = c.(*net.UnixConn).CloseRead() // ends what reads the client
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("connection to %s ended: %w", id, err)
		}
	}
}

// typed brings what the client types to the box until either ends.
func typed(in *bufio.Reader, sh interface {
	io.Writer
	Resize(width, height int) error
}) {
	d := json.NewDecoder(in)
	for {
		var i Input
		if d.Decode(&i) != nil {
			return
		}
		if i.Width > 0 && i.Height > 0 && sh.Resize(i.Width, i.Height) != nil {
			return
		}
		if len(i.Data) > 0 {
			if _, err := sh.Write(i.Data); err != nil {
				return
			}
		}
	}
}

// record opens the recording of a session on a box.
func (s *Server) record(id string) (*os.File, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("record session: %w", err)
	}
	name := time.Now().UTC().Format("20060102T150405.000Z-") + safe(id) + ".cast"
	f, err := os.OpenFile(filepath.Join(s.Dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("record session: %w", err)
	}
	return f, nil
}

// safe makes a file's name of an asset id.
func safe(id string) string {
	out := []byte(id)
	for i, c := range out {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-') {
			out[i] = '_'
		}
	}
	return string(out)
}
