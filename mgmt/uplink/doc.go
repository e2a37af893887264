// Package uplink is what a box and its conductor say to each other: the schema
// of the channels inside their one SSH connection (930/TCP), and its codec. It
// is pure: bytes in, messages out. docs/uplink.md is the protocol for people.
//
// The box dials, proves its identity key, and opens channel Control. It greets
// (Hello), is answered (Welcome), and after that each side puts requests that
// the other answers. Reports of the box (events, addresses, samples) go through
// channel Reports, where every one is acknowledged once it is kept for good.
// Shell, Logs and Salt are channels of their own, with SSH's flow control.
//
// A message is a frame: its length and its kind, then JSON. Unknown fields are
// ignored and unknown kinds answered with Refused, so that both sides may be of
// different age; Version grows when that is not enough.
package uplink

// Port is where conductors listen (TCP).
const Port = 930

// Version of the protocol; a side refuses another that has none in common.
const Version = 1

// The channels: types of SSH channels. Who opens it is in brackets.
const (
	ChannelControl = "control@waymark" // [box, once] greeting, state, configuration, address book
	ChannelReports = "reports@waymark" // [box, once, when accepted] what the box tells and the conductor keeps
	ChannelShell   = "shell@waymark"   // [conductor] our console; extra data: Shell as JSON
	ChannelLogs    = "logs@waymark"    // [conductor] one LogRequest, its answer, bytes
	ChannelSalt    = "salt@waymark"    // [box] a stream to a port of the conductor's Salt master; extra data: Salt as JSON
	// Names that are kept for what follows: keys@, repository@ and proxy@waymark.
)

// RequestKeepalive is the global request that asks whether the other side
// lives. Only boxes send it: they know what a byte costs.
const RequestKeepalive = "keepalive@waymark"

// RequestResize is the request of a shell channel for a new size: Size as JSON.
const RequestResize = "resize@waymark"

// Bounds of what either side accepts.
const (
	MaxFrame    = 256 << 10 // a frame, unless said otherwise
	MaxHello    = 16 << 10  // what a stranger may say
	MaxConfig   = 4 << 20   // the frame of a configuration, compressed
	MaxUnpacked = 32 << 20  // the configuration in it
	MaxEvents   = 256       // events of one batch
	MaxBatch    = 128 << 10 // a batch in bytes, about; it has one event at least
	MaxEvent    = 8 << 10   // one event in bytes; longer messages are cut by the box
	MaxAddrs    = 1024      // addresses of one update of a box
	MaxBook     = 4096      // entries of one address book
	MaxSamples  = 288       // samples of one report: a day
	MaxText     = 1024      // a text field in bytes
)
