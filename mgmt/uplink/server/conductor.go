// Package server is the conductor's end of the uplink: SSH on 930/TCP. It
// proves who comes, bounds what strangers cost, speaks the protocol, and leaves
// every decision and all memory to a Conductor.
package server

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/uplink"
)

// ErrFinal wraps an error of a Conductor after which the box must not try the
// same again (uplink.Refused.Final). Any other error has it try later.
var ErrFinal = errors.New("refused for good")

// Errors of a Box.
var (
	ErrGone    = errors.New("box is gone")
	ErrRefused = errors.New("box refused")
)

// Claim is who says to be an asset. The key is proven, the facts are not.
type Claim struct {
	Asset  string        // asset id, valid as salt.ValidID
	Key    ssh.PublicKey // ed25519, of the box for its life
	Finger string        // ssh.FingerprintSHA256 of Key
	Remote net.Addr      // where it comes from
	Hello  uplink.Hello  //
	At     time.Time     //
}

// Decision is what becomes of a claim.
type Decision struct {
	State  uplink.State
	Reason string
	Retry  time.Duration // 0: the box's own back-off
}

// Conductor decides and remembers. Its methods are called from many goroutines,
// for one box of one process never two at once except where said; they must
// heed ctx, which ends with the connection. What a method was given it may keep.
//
// Several processes may serve one store: then the same report may come through
// two of them at the same time.
type Conductor interface {
	// Authorize decides about a claim. With uplink.StatePending the connection
	// stays open and Authorize is called again when Server.Recheck says so.
	Authorize(ctx context.Context, c *Claim) (Decision, error)

	// Attach is told an accepted box once its Control channel speaks; the
	// conductor sends it what it needs from here or later. It must not wait for
	// the box. The connection ends if it returns an error.
	// Detach is told the same Box when its connection has ended.
	Attach(ctx context.Context, b Box) error
	Detach(b Box)

	// Position tells which events of the asset are kept already.
	Position(ctx context.Context, asset string) (uplink.Position, error)
	// Events keeps a batch for good and returns nil, or keeps nothing. It must
	// be one transaction with the position: events of the position's epoch up
	// to its Seq are there already and are skipped; an epoch that is not the
	// position's begins anew.
	Events(ctx context.Context, asset string, e *uplink.Events) error
	// Addresses keeps a dynamic-peer-update; with Full, addresses that are not
	// in it are no more.
	Addresses(ctx context.Context, asset string, a *uplink.Addresses) error
	// Entitlement keeps samples. The same Start replaces.
	Entitlement(ctx context.Context, asset string, e *uplink.Entitlement) error
	// ConfigState is told how the box stands, at the start and at every change.
	ConfigState(ctx context.Context, asset string, s *uplink.ConfigState) error

	// Salt connects a stream of the box to a port of the Salt master (4505 or
	// 4506). Called concurrently. Errors refuse the stream.
	Salt(ctx context.Context, asset string, port int) (net.Conn, error)
}

// Box is one accepted box that is connected. Methods may be called from any
// goroutine; they end with ErrGone when the connection does.
type Box interface {
	Claim() *Claim
	// Done is closed when the connection has ended.
	Done() <-chan struct{}
	// Close ends the connection; reason and retry go to the box as its Welcome
	// with state (such as StateRejected, or StateBusy to move it elsewhere).
	Close(state uplink.State, reason string, retry time.Duration)

	// SendConfig gives the box a configuration and returns what it says at
	// once: ConfigApplying, ConfigInSync if it runs already, ConfigInvalid,
	// ConfigOutOfSync. What follows comes through Conductor.ConfigState.
	SendConfig(ctx context.Context, c *uplink.Config) (*uplink.ConfigState, error)
	// SendBook gives the router addresses of peers; nil: it uses them.
	SendBook(ctx context.Context, b *uplink.Book) error

	// Shell opens the box's console. What the box writes goes to record too, as
	// asciicast v2, if record is not nil.
	Shell(ctx context.Context, s uplink.Shell, record io.Writer) (Shell, error)
	// Logs lists the logs of the box.
	Logs(ctx context.Context) ([]uplink.Log, error)
	// Log reads one from an offset on; the caller closes it. If it breaks, the
	// next call goes on from where it did.
	Log(ctx context.Context, r uplink.LogRequest) (*uplink.LogHeader, io.ReadCloser, error)
}

// Shell is a session on a box's console: a raw terminal.
type Shell interface {
	io.ReadWriteCloser
	Resize(width, height int) error
}
