package probe

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// Sink swallows the generator's frames at one interface and counts them.
// Everything else passes.
type Sink struct {
	counter *ebpf.Map
	armed   *ebpf.Map // of a cable's tap, otherwise nil
	held    []io.Closer
}

// SinkXDP attaches a sink to an interface of the calling thread's network
// namespace, before the kernel builds a socket buffer. size is the length of
// the frames it swallows.
func SinkXDP(dev string, size int) (*Sink, error) {
	return newSink(func(s *Sink) error {
		p, err := sinkXDP(s.counter, size)
		if err != nil {
			return err
		}
		return s.attach(p, dev, link.XDPDriverMode)
	})
}

// SinkTC attaches a sink behind the socket buffer, at TC ingress.
func SinkTC(dev string, size int) (*Sink, error) {
	return newSink(func(s *Sink) error {
		p, err := sinkTC(s.counter, size)
		if err != nil {
			return err
		}
		return s.attach(p, dev, 0)
	})
}

// Redirect attaches to dev an XDP program that hands UDP frames to interface
// out and does nothing else. Its count stays 0.
func Redirect(dev, out string) (*Sink, error) {
	return newSink(func(s *Sink) error {
		to, err := net.InterfaceByName(out)
		if err != nil {
			return fmt.Errorf("find %s: %w", out, err)
		}
		m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "out", Type: ebpf.DevMap, KeySize: 4, ValueSize: 4, MaxEntries: 1})
		if err != nil {
			return fmt.Errorf("make devmap: %w", err)
		}
		s.held = append(s.held, m)
		if err := m.Put(uint32(0), uint32(to.Index)); err != nil {
			return fmt.Errorf("fill devmap: %w", err)
		}
		p, err := redirectXDP(m)
		if err != nil {
			return err
		}
		return s.attach(p, dev, link.XDPDriverMode)
	})
}

// Cable joins two interfaces of the calling thread's network namespace like a
// wire. Armed, it is a sink for what comes in by a.
func Cable(a, b string) (*Sink, error) {
	return newSink(func(s *Sink) error {
		var err error
		if s.armed, err = arrayMap("armed", 8); err != nil {
			return err
		}
		s.held = append(s.held, s.armed)
		return errors.Join(s.wire(a, b, s.armed), s.wire(b, a, nil))
	})
}

// wire makes what comes in by one interface leave by another.
func (s *Sink) wire(from, to string, armed *ebpf.Map) error {
	out, err := net.InterfaceByName(to)
	if err != nil {
		return fmt.Errorf("find %s: %w", to, err)
	}
	p, err := cableTC(s.counter, armed, out.Index)
	if err != nil {
		return err
	}
	return s.attach(p, from, 0)
}

// Echo makes an interface of the calling thread's network namespace answer the
// generator's frames. Its count stays 0.
func Echo(dev string) (*Sink, error) {
	return newSink(func(s *Sink) error {
		i, err := net.InterfaceByName(dev)
		if err != nil {
			return fmt.Errorf("find %s: %w", dev, err)
		}
		p, err := echoTC(i.Index)
		if err != nil {
			return err
		}
		return s.attach(p, dev, 0)
	})
}

func newSink(build func(*Sink) error) (*Sink, error) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "count", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("make counter: %w", err)
	}
	s := &Sink{counter: m, held: []io.Closer{m}}
	if err := build(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// arrayMap makes an array of one value of size bytes.
func arrayMap(name string, size uint32) (*ebpf.Map, error) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: name, Type: ebpf.Array, KeySize: 4, ValueSize: size, MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("make map %s: %w", name, err)
	}
	return m, nil
}

// attach puts p on dev: XDP with the given flags, or TC ingress.
func (s *Sink) attach(p *ebpf.Program, dev string, flags link.XDPAttachFlags) error {
	s.held = append(s.held, p)
	i, err := net.InterfaceByName(dev)
	if err != nil {
		return fmt.Errorf("find %s: %w", dev, err)
	}
	var l link.Link
	if p.Type() == ebpf.XDP {
		l, err = link.AttachXDP(link.XDPOptions{Program: p, Interface: i.Index, Flags: flags})
	} else {
		l, err = link.AttachTCX(link.TCXOptions{Program: p, Interface: i.Index, Attach: ebpf.AttachTCXIngress})
	}
	if err != nil {
		return fmt.Errorf("attach to %s: %w", dev, err)
	}
	s.held = append(s.held, l)
	return nil
}

// Arm makes a cable's tap swallow frames of size bytes; 0: none.
func (s *Sink) Arm(size int) error {
	if err := s.armed.Put(uint32(0), uint64(size)); err != nil {
		return fmt.Errorf("arm tap: %w", err)
	}
	return nil
}

// Count returns the frames swallowed so far.
func (s *Sink) Count() (uint64, error) {
	var perCPU []uint64
	if err := s.counter.Lookup(uint32(0), &perCPU); err != nil {
		return 0, fmt.Errorf("read counter: %w", err)
	}
	var n uint64
	for _, v := range perCPU {
		n += v
	}
	return n, nil
}

// Close detaches the programs.
func (s *Sink) Close() error {
	var errs []error
	for i := len(s.held) - 1; i >= 0; i-- {
		errs = append(errs, s.held[i].Close())
	}
	s.held = nil
	return errors.Join(errs...)
}
