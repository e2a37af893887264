package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNotTaken: the router refused a configuration; the one before runs on.
var ErrNotTaken = errors.New("router does not take the configuration")

// Reload has the router with run directory dir read its configuration again.
func Reload(ctx context.Context, dir string) (done Reloaded, err error) {
	_, err = AskContext(ctx, dir, Request{Reload: true}, func(row json.RawMessage) error {
		return json.Unmarshal(row, &done)
	})
	if err == nil && done.Error != "" {
		err = fmt.Errorf("%w: %s", ErrNotTaken, done.Error)
	}
	return done, err
}
