package client_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/client"
	"waymark/mgmt/uplink/uplinktest"
	"waymark/svr/path/ambient"
)

// wire counts the packets of one TCP port as they leave by loopback.
type wire struct {
	fd             int
	mu             sync.Mutex // guards the rest
	packets, bytes uint64
}

func capture(t *testing.T, port uint16) *wire {
	t.Helper()
	const all = 0x0300 // ETH_P_ALL in network order
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, all)
	if err != nil {
		t.Fatalf("capture (as root): %v", err)
	}
	lo, err := net.InterfaceByName("lo")
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: all, Ifindex: lo.Index})
	}
	if err == nil {
		err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Usec: 100_000})
	}
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{fd: fd}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 128)
		for {
			select {
			case <-stop:
				return
			default:
			}
			n, from, err := syscall.Recvfrom(fd, b, 0)
			if l, ok := from.(*syscall.SockaddrLinklayer); err == nil && ok && l.Pkttype == syscall.PACKET_OUTGOING {
				w.count(b[:n], port)
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
		syscall.Close(fd)
	})
	return w
}

// count takes an IPv4 packet with TCP and without options of IP.
func (w *wire) count(b []byte, port uint16) {
	if len(b) < 40 || b[0] != 0x45 || b[9] != syscall.IPPROTO_TCP ||
		binary.BigEndian.Uint16(b[20:]) != port && binary.BigEndian.Uint16(b[22:]) != port {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packets++
	w.bytes += uint64(binary.BigEndian.Uint16(b[2:]))
}

func (w *wire) read() (packets, bytes uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.packets, w.bytes
}

// listen starts a capture of the packets to and from a server.
func listen(t *testing.T, s *uplinktest.Running) *wire {
	t.Helper()
	_, text, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return capture(t, uint16(port))
}

// look reads ledger and capture in silence, when both have seen the same.
func look(t *testing.T, r *rig, w *wire) (ledger client.Traffic, packets, bytes uint64) {
	t.Helper()
	<-time.After(300 * time.Millisecond) // the last acknowledgement: 40 ms at most
	ledger = r.Traffic()
	every, end := time.NewTicker(5*time.Millisecond), time.After(limit)
	defer every.Stop()
	for packets, bytes = w.read(); packets < ledger.Packets; packets, bytes = w.read() {
		select { // the capture may be behind on a busy machine
		case <-every.C:
		case <-end:
			t.Fatalf("ledger: %d packets, capture: %d", ledger.Packets, packets)
		}
	}
	return ledger, packets, bytes
}

// What an idle box costs: the ledger is what a capture shows, over whole periods
// of keepalives, three or more: a busy machine may look late. What a month costs,
// Salt included, is cmd/lab/lte's to hold. A look amid a keepalive, or packets sent
// twice, have another round.
func TestIdle(t *testing.T) {
	store := uplinktest.New("box1")
	s := uplinktest.Start(t, "", quiet(store))
	w := listen(t, s)
	r := newRig(t, s.Addr, func(c *client.Config) { c.Keepalive = func() time.Duration { return 2 * time.Second } })
	r.start(t)
	r.until(t, in(uplink.StateAccepted))
	<-r.out.at
	// both looks happen right after a keepalive was answered, with silence ahead
	at := func(n uint64) (ledger client.Traffic, packets, bytes uint64) {
		t.Helper()
		r.keepalives(t, n)
		return look(t, r, w)
	}
	const periods = 3
	l0, p0, b0 := at(1)
	l1, p1, b1 := at(1 + periods)
	plan := (ambient.Management{Keepalive: 300, NoSalt: true}).Costs()[ambient.SSH]
	var packets, bytes, seen uint64
	agree := func() bool {
		packets, bytes, seen = l1.Packets-l0.Packets, l1.Bytes-l0.Bytes, l1.Keepalives-l0.Keepalives
		d := int64(packets) - int64(p1-p0)
		alike := d >= -1 && d <= 1 && (bytes == b1-b0 || d != 0)
		return seen >= periods && alike && float64(bytes)/float64(seen)*8640 <= 1.05*plan.Monthly()
	}
	for end := time.Now().Add(limit); !agree(); {
		if time.Now().After(end) {
			t.Fatalf("%d keepalives: ledger: %d packets, %d bytes; capture: %d packets, %d bytes; planned %.0f in 30 days", seen,
				packets, bytes, p1-p0, b1-b0, plan.Monthly())
		}
		l0, p0, b0 = l1, p1, b1
		l1, p1, b1 = at(l0.Keepalives + periods)
	}
	t.Logf("a keepalive: %.1f packets, %.0f bytes of IP; what was before: %d packets, %d bytes", float64(packets)/float64(seen), float64(bytes)/float64(seen), p0, b0)
}

// Salt inside of the connection is counted as Salt's: in turns with keepalives
// each has, packet by packet, what a capture shows of it. TCP repeats packets that
// a busy machine is late with, at any time: three rounds must agree.
func TestSaltShare(t *testing.T) {
	store := uplinktest.New("box1")
	store.SaltDial = func(string, int) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			_, _ = io.Copy(far, far)
		}()
		return near, nil
	}
	s := uplinktest.Start(t, "", quiet(store))
	w := listen(t, s)
	r := newRig(t, s.Addr, func(c *client.Config) { c.Keepalive = func() time.Duration { return 4 * time.Second } })
	r.start(t)
	r.until(t, in(uplink.StateAccepted))
	salt, err := r.Salt(t.Context(), 4506)
	if err != nil {
		t.Fatal(err)
	}
	defer salt.Close()
	frame := make([]byte, 500)
	rounds, late, odd := 0, 0, ""
	for end := time.Now().Add(3 * limit); rounds < 3; {
		if time.Now().After(end) {
			t.Fatalf("%d rounds agree, %d had a keepalive between, others not:\n%s", rounds, late, odd)
		}
		r.keepalives(t, r.Traffic().Keepalives+1)
		l0, p0, b0 := look(t, r, w)
		if _, err := salt.Write(frame); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(salt, frame); err != nil {
			t.Fatal(err)
		}
		l1, p1, b1 := look(t, r, w)
		if l1.Keepalives != l0.Keepalives {
			late++ // not in turns
			continue
		}
		r.keepalives(t, l1.Keepalives+1)
		l2, p2, b2 := look(t, r, w)
		agree := 1
		for _, x := range []struct {
			what                  string
			packets, bytes        uint64
			wantPackets, wantByte uint64
		}{
			{"salt while it speaks", l1.SaltPackets - l0.SaltPackets, l1.SaltBytes - l0.SaltBytes, p1 - p0, b1 - b0},
			{"salt during a keepalive", l2.SaltPackets - l1.SaltPackets, l2.SaltBytes - l1.SaltBytes, 0, 0},
			{"all during a keepalive", l2.Packets - l1.Packets, l2.Bytes - l1.Bytes, p2 - p1, b2 - b1},
		} {
			if x.packets != x.wantPackets || x.bytes != x.wantByte {
				agree = 0
				odd += fmt.Sprintf("%s: ledger %d packets, %d bytes; capture %d packets, %d bytes\n", x.what, x.packets, x.bytes, x.wantPackets, x.wantByte)
			}
		}
		rounds += agree
	}
}
