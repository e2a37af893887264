package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"time"
)

// Errors of a client.
var (
	ErrNoRouter = errors.New("no router runs there")
	ErrRefused  = errors.New("router refused")
)

// AskLimit bounds the wait for the next row.
const AskLimit = 10 * time.Second

// Ask sends one request to the router with run directory dir and calls row for
// each row, a JSON object that is valid during the call. It returns how the
// answer ended.
func Ask(dir string, req Request, row func(json.RawMessage) error) (End, error) {
	return AskContext(context.Background(), dir, req, row)
}

// AskContext is Ask until ctx ends. An error of row ends it too and is returned
// as it is.
func AskContext(ctx context.Context, dir string, req Request, row func(json.RawMessage) error) (End, error) {
	path, done, err := socketPath(dir)
	if err != nil {
		return End{}, explain(dir, err)
	}
	d := net.Dialer{Timeout: AskLimit}
	c, err := d.DialContext(ctx, "unix", path)
	done()
	if err != nil {
		return End{}, explain(dir, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if err := json.NewEncoder(c).Encode(req); err != nil {
		return End{}, fmt.Errorf("ask router: %w", err)
	}
	dec := json.NewDecoder(bufio.NewReaderSize(c, 64<<10))
	for {
		if err := c.SetReadDeadline(time.Now().Add(AskLimit)); err != nil {
			return End{}, fmt.Errorf("ask router: %w", err)
		}
		var a Answer
		if err := dec.Decode(&a); err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return End{}, fmt.Errorf("read router's answer: %w", err)
		}
		if a.End != nil {
			if a.End.Error != "" {
				return *a.End, fmt.Errorf("%w: %s", ErrRefused, a.End.Error)
			}
			return *a.End, nil
		}
		if err := row(a.Row); err != nil {
			return End{}, err
		}
	}
}

// explain says what a failed dial means.
func explain(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("ask router in run directory %s: %w: no %s", dir, ErrNoRouter, Socket)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("ask router in run directory %s: %w: nobody listens on %s", dir, ErrNoRouter, Socket)
	}
	return fmt.Errorf("ask router in run directory %s: %w", dir, err)
}
