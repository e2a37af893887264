package lane

import (
	"fmt"

	"golang.org/x/sys/unix"

	"waymark/svr/lane/l2"
	"waymark/svr/packet"
)

// sender transmits on one port for one goroutine: the loop's, or a worker's by a
// socket of its own.
type sender struct {
	port   *Port
	fd     int
	tx     txQueue
	gather gather
	sent   PortCounters // what is sent; the loop's counts what is received, too
}

// init makes the queues of a sender on a socket.
func (s *sender) init(p *Port, fd int, o Offload) {
	s.port, s.fd = p, fd
	s.tx.init(fd, o, &s.sent)
	if p.l3 {
		s.tx.nameProtocols(p.link.Index)
	}
	s.gather.init(&s.tx)
}

// send queues p towards mac.
func (s *sender) send(p *packet.Packet, it *iface, mac l2.MAC, hop uint16) {
	q, port := &s.tx, s.port
	merges := s.merges(it, p.Kind)
	if merges && s.gather.add(p, it, hop) {
		return
	}
	if q.full() {
		s.flush()
	}
	if superPacket(p) && q.offloads&offloadOf(p.GSO) == 0 {
		s.gather.finish()
		q.addCut(p, mac, port.link.MAC, it.VLAN, port.l3)
		s.gather.reset()
		return
	}
	if p.Csum == packet.CsumPartial && !completable(p, q.offloads) {
		p.CompleteCsum()
	}
	i := q.add(p, mac, port.link.MAC, it.VLAN, port.l3)
	if merges && q.offloads&offloadOf(superKind(p)) != 0 {
		s.gather.start(p, it, hop, i)
	}
}

// flush transmits what is queued.
func (s *sender) flush() {
	if s.tx.n > 0 {
		s.gather.finish()
		s.tx.flush()
	}
	s.gather.reset()
}

// openSenders opens the sockets of n workers.
func (p *Port) openSenders(n int) error {
	for len(p.more) < n {
		fd, err := openSender(p.link.Index, p.cfg.QueueBytes, p.cfg.Bypass)
		if err != nil {
			return fmt.Errorf("open sender of a worker: %w", err)
		}
		s := new(sender)
		s.init(p, fd, OffloadAll&^p.cfg.NoOffload)
		p.more = append(p.more, s)
	}
	return nil
}

// closeSenders closes them. Nothing waits in their queues.
func (p *Port) closeSenders() {
	for _, s := range p.more {
		unix.Close(s.fd)
	}
	p.more = nil
}

// total adds up what all senders counted.
func (p *Port) total() PortCounters {
	c := p.sent
	c.Offloads = p.tx.offloads
	for _, s := range p.more {
		c.TxPackets += s.sent.TxPackets
		c.TxBytes += s.sent.TxBytes
		c.TxErrors += s.sent.TxErrors
		c.TxNoDevice += s.sent.TxNoDevice
		c.TxCoalesced += s.sent.TxCoalesced
		c.TxSegmented += s.sent.TxSegmented
		c.Offloads &= s.tx.offloads
	}
	return c
}
