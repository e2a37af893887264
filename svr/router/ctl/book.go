package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
)

// ErrBook: the router does not take an address book.
var ErrBook = errors.New("router does not take the address book")

// Book tells a router where the dynamic addresses of its peers are now.
type Book struct {
	Full    bool        `json:"full"` // it is all of it; otherwise a change
	Entries []BookEntry `json:"entries"`
}

// BookEntry is where a network-interface of another router is reached.
type BookEntry struct {
	Router    string     `json:"router"`
	Node      string     `json:"node,omitempty"`
	Interface string     `json:"interface"` // network-interface
	Hostname  string     `json:"hostname,omitempty"`
	Address   netip.Addr `json:"address"` // invalid: it has none now
}

// MaxBook bounds the line of a request with a book in bytes, and MaxEntries the
// entries of a book.
const (
	MaxBook    = 1 << 20
	MaxEntries = 4096
)

// SetBook gives the router with run directory dir entries of the address book.
func SetBook(ctx context.Context, dir string, b *Book) error {
	var done struct {
		Error string `json:"error"`
	}
	_, err := AskContext(ctx, dir, Request{Book: b}, func(row json.RawMessage) error { return json.Unmarshal(row, &done) })
	if err == nil && done.Error != "" {
		err = fmt.Errorf("%w: %s", ErrBook, done.Error)
	}
	return err
}
