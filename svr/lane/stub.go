package lane

import (
	"context"
	"errors"

	"waymark/svr/packet"
)

type pool struct{}

func (p *pool) get(s Size) *packet.Packet { return nil }

func (l *Lane) send(p *packet.Packet, ifc, hop uint16) {}
func (l *Lane) do(fn func()) error                    { return ErrClosed }
func (l *Lane) run(ctx context.Context) error         { return errors.New("lane: not built yet") }

// OpenPort opens the Linux interface for receiving and sending. Nothing is
// received before the lane runs.
func OpenPort(cfg PortConfig) (*Port, error) { return nil, errors.New("lane: not built yet") }

// Port is one Linux interface, opened with AF_PACKET.
type Port struct{ counters PortCounters }

// SetInterfaces replaces the network-interfaces a port carries. Through
// Lane.Do once the lane runs.
func (p *Port) SetInterfaces(ifs []Interface) error { return nil }

// Counters returns the port's counters. Through Lane.Do once the lane runs.
func (p *Port) Counters() PortCounters { return p.counters }

// Index returns the Linux interface index.
func (p *Port) Index() int { return 0 }

// Name returns the Linux interface name.
func (p *Port) Name() string { return "" }

// MAC returns the port's Ethernet address.
func (p *Port) MAC() [6]byte { return [6]byte{} }

// MTU returns the Linux interface's MTU.
func (p *Port) MTU() int { return 0 }

// Close closes the socket and unmaps the ring.
func (p *Port) Close() error { return nil }
