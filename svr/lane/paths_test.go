package lane

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"waymark/net/link"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/rtnl"
	"waymark/svr/lane/lanetest/gen"
)

// The ways of AF_PACKET that were weighed against each other. Each moves
// frames from one interface to another after exchanging the MAC addresses.

// source reads frames: fn gets the virtio-net header and the frame, contiguous.
type source interface {
	read(fn func(vnetAndFrame []byte)) int // one batch
	release()
	fd() int
}

// target writes frames; they stay valid until flush.
type target interface {
	put(vnetAndFrame []byte)
	flush()
}

type ringSource struct {
	*ring
	sock int
}

func (s ringSource) fd() int { return s.sock }

func (s ringSource) release() { s.ring.release(s.batch()) }

func (s ringSource) read(fn func([]byte)) (n int) {
	for ; n < 64; n++ {
		f, st := s.next()
		if f == nil {
			break
		}
		i := info(f, st)
		s.take()
		fn(f[i.mac-vnetLen : i.mac+i.captured])
	}
	return n
}

type mmsgSource struct {
	sock int
	hdrs [64]mmsghdr
	iovs [64]unix.Iovec
	bufs [][]byte
}

func newMmsgSource(fd int) *mmsgSource {
	s := &mmsgSource{sock: fd}
	for i := range s.hdrs {
		b := make([]byte, 66000)
		s.bufs = append(s.bufs, b)
		s.iovs[i].Base = &b[0]
		s.iovs[i].SetLen(len(b))
		s.hdrs[i].hdr.Iov = &s.iovs[i]
		s.hdrs[i].hdr.SetIovlen(1)
	}
	return s
}

func (s *mmsgSource) fd() int  { return s.sock }
func (s *mmsgSource) release() {}

func (s *mmsgSource) read(fn func([]byte)) int {
	n, _, e := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(s.sock), uintptr(unsafe.Pointer(&s.hdrs[0])), 64, unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0
	}
	for i := range int(n) {
		fn(s.bufs[i][:s.hdrs[i].n])
	}
	return int(n)
}

// mmsgTarget sends with sendmmsg, each frame in one or two pieces.
type mmsgTarget struct {
	fd, n, pieces int
	hdrs          [64]mmsghdr
	iovs          [64][2]unix.Iovec
}

func (t *mmsgTarget) put(b []byte) {
	m, v := &t.hdrs[t.n], &t.iovs[t.n]
	cut := len(b)
	if t.pieces == 2 {
		cut = vnetLen + 14
		v[1].Base = &b[cut]
		v[1].SetLen(len(b) - cut)
	}
	v[0].Base = &b[0]
	v[0].SetLen(cut)
	m.hdr.Iov = &v[0]
	m.hdr.SetIovlen(t.pieces)
	t.n++
}

func (t *mmsgTarget) flush() {
	for i := 0; i < t.n; {
		n, e := sendmmsg(t.fd, t.hdrs[i:t.n])
		if e != 0 {
			n = 1
		}
		i += n
	}
	t.n = 0
}

// ringTarget sends through a TPACKET_V2 transmit ring.
type ringTarget struct {
	fd, head int
	mem      []byte
}

const txFrames, txFrame = 512, 2048

func newRingTarget(fd int) (*ringTarget, error) {
	req := unix.TpacketReq{Block_size: blockSize, Block_nr: txFrames * txFrame / blockSize, Frame_size: txFrame, Frame_nr: txFrames}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_TX_RING, &req); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(fd, 0, txFrames*txFrame, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return &ringTarget{fd: fd, mem: mem}, err
}

func (t *ringTarget) put(b []byte) {
	f := t.mem[t.head*txFrame : (t.head+1)*txFrame]
	if atomic.LoadUint32(status(f)) != 0 {
		t.flush()
	}
	h := (*unix.Tpacket2Hdr)(unsafe.Pointer(&f[0]))
	h.Len, h.Snaplen = uint32(len(b)), uint32(len(b))
	copy(f[tpacketHdr:], b)
	atomic.StoreUint32(status(f), 1) // TP_STATUS_SEND_REQUEST
	t.head = (t.head + 1) % txFrames
}

func (t *ringTarget) flush() {
	unix.Syscall6(unix.SYS_SENDTO, uintptr(t.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
}

// pathSocket opens one socket in the router's namespace, plain or with a ring.
func pathSocket(qdisc, ring bool) (int, error) {
	if ring {
		return openSocket(4<<20, !qdisc)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)
	unix.SetsockoptInt(fd, unix.SOL_PACKET, packetIgnoreOutgoing, 1)
	unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2)
	if !qdisc {
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	}
	setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, 1<<20)
	setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, 4<<20)
	return fd, nil
}

// bindSend binds a socket that only sends.
func bindSend(fd, index int) error {
	return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index})
}

type path struct{ rx, tx string }

func (p path) open(in, out int) (s source, t target, err error) {
	fd, err := pathSocket(false, p.rx == "ring")
	if err != nil {
		return nil, nil, err
	}
	if p.rx == "ring" {
		r, err := openRing(fd, 1<<20)
		if err != nil {
			return nil, nil, err
		}
		s = ringSource{r, fd}
	} else {
		s = newMmsgSource(fd)
	}
	if err := bindAll(fd, in); err != nil {
		return nil, nil, err
	}
	out2, err := pathSocket(p.tx == "mmsg2-qdisc", false)
	if err != nil {
		return nil, nil, err
	}
	switch p.tx {
	case "ring":
		if t, err = newRingTarget(out2); err != nil {
			return nil, nil, err
		}
	case "mmsg1":
		t = &mmsgTarget{fd: out2, pieces: 1}
	default:
		t = &mmsgTarget{fd: out2, pieces: 2}
	}
	return s, t, bindSend(out2, out)
}

// forward runs until stop and counts.
func forward(s source, t target, stop *atomic.Bool, count *atomic.Uint64, cpu *atomic.Int64) {
	pfd := []unix.PollFd{{Fd: int32(s.fd()), Events: unix.POLLIN}}
	for !stop.Load() {
		n := s.read(func(b []byte) {
			e := b[vnetLen:]
			var mac [6]byte
			copy(mac[:], e[:6])
			copy(e[:6], e[6:12])
			copy(e[6:12], mac[:])
			t.put(b)
		})
		if n == 0 {
			unix.Poll(pfd, 100)
			continue
		}
		t.flush()
		s.release()
		count.Add(uint64(n))
		var ts unix.Timespec
		unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
		cpu.Store(ts.Nano())
	}
}

// BenchmarkPaths: 64-byte frames, generator on CPU 0, the path on CPU 1. On a
// shared machine compare ns/pkt: CPU time of the path's thread.
func BenchmarkPaths(b *testing.B) {
	for _, p := range []path{{"ring", "mmsg2"}, {"ring", "mmsg1"}, {"ring", "mmsg2-qdisc"}, {"ring", "ring"}, {"mmsg", "mmsg2"}, {"mmsg", "ring"}} {
		b.Run(p.rx+"+"+p.tx, func(b *testing.B) { benchPath(b, p) })
	}
}

func benchPath(b *testing.B, p path) {
	left, router, right := nstest.New(b), nstest.New(b), nstest.New(b)
	nstest.Veth(b, netns.End{NS: left, Name: "c0"}, netns.End{NS: router, Name: "lan0"})
	nstest.Veth(b, netns.End{NS: right, Name: "s0"}, netns.End{NS: router, Name: "wan0"})
	gen.Sink(b, right, "s0")
	gen.Sink(b, router, "lan0")
	gen.Ethtool(b, router, "lan0", gen.EthtoolSGRO, 1)
	c, in, out := linkOf(b, left, "c0"), linkOf(b, router, "lan0"), linkOf(b, router, "wan0")
	var g *gen.Generator
	nstest.In(b, left, func() (err error) {
		g, err = gen.NewGenerator(c.Index, gen.UDPFrame(in.MAC, c.MAC, [4]byte{10, 1, 0, 2}, [4]byte{10, 2, 0, 2}, 5001), 1024)
		return err
	})
	var stop atomic.Bool
	var count atomic.Uint64
	var cpu atomic.Int64
	done := make(chan error, 1)
	go func() {
		done <- netns.Do(router, func() error {
			s, t, err := p.open(in.Index, out.Index)
			if err != nil {
				return err
			}
			gen.Pin(1)
			defer gen.Unpin()
			forward(s, t, &stop, &count, &cpu)
			return nil
		})
	}()
	g.Start(left, 0)
	<-time.After(300 * time.Millisecond)
	for b.Loop() {
		n0, c0, t0 := count.Load(), cpu.Load(), time.Now()
		<-time.After(time.Second)
		n := count.Load() - n0
		b.ReportMetric(float64(n)/time.Since(t0).Seconds(), "pps")
		b.ReportMetric(float64(cpu.Load()-c0)/float64(max(n, 1)), "ns/pkt")
	}
	stop.Store(true)
	if err := g.Stop(); err != nil {
		b.Error(err)
	}
	if err := <-done; err != nil {
		b.Error(err)
	}
}

func linkOf(t testing.TB, ns, name string) (l link.Link) {
	nstest.In(t, ns, func() error {
		c, err := rtnl.Dial()
		if err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		defer c.Close()
		l, err = link.ByName(c, name)
		return err
	})
	return l
}
