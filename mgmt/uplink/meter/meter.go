// Package meter tells what a TCP connection costs on the wire, as the kernel
// counts it: packets of IP, acknowledgements and repetitions included, and their
// bytes.
package meter

import (
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// Bytes of headers: IP, TCP, and TCP's time stamps, which every packet but the
// first two and resets has where both sides have them switched on. The first
// ones carry 8 bytes of options more.
const (
	head4, head6 = 20, 40
	headTCP      = 20
	stamps       = 12
	greeting     = 8
)

// Meter reads the counters of one connection.
type Meter struct {
	c  *net.TCPConn // nil: not TCP
	v6 bool

	mu             sync.Mutex // guards the rest
	packets, bytes uint64     // as they were read last
}

// New makes the meter of a connection; of one that is not TCP it reads 0.
func New(c net.Conn) *Meter {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return &Meter{}
	}
	a, ok := t.RemoteAddr().(*net.TCPAddr)
	return &Meter{c: t, v6: ok && a.IP.To4() == nil}
}

// Read returns packets and bytes of IP so far, both directions. Of a connection
// that was closed it returns what it read last.
func (m *Meter) Read() (packets, bytes uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if info := m.info(); info != nil {
		head := uint64(head4 + headTCP)
		if m.v6 {
			head = head6 + headTCP
		}
		const optTimestamps = 1 // TCPI_OPT_TIMESTAMPS
		if info.Options&optTimestamps != 0 {
			head += stamps
		}
		m.packets = uint64(info.Segs_out) + uint64(info.Segs_in)
		m.bytes = m.packets*head + info.Bytes_sent + info.Bytes_received + 2*greeting
	}
	return m.packets, m.bytes
}

// info asks the kernel; nil: it does not tell.
func (m *Meter) info() (info *unix.TCPInfo) {
	if m.c == nil {
		return nil
	}
	raw, err := m.c.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) { // fails when it is closed
		if i, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			info = i
		}
	})
	return info
}
