package fast_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"waymark/svr/lane/fast"
	"waymark/svr/lane/fast/fasttest"
	"waymark/svr/packet"
)

// TestTCP: a stream through the lane arrives unharmed, as super-packets, in
// every combination of families; handshakes come through the punt.
func TestTCP(t *testing.T) {
	hosts := map[uint8][3]string{4: {"10.1.0.2", "10.2.0.2", "10.2.0.1"}, 6: {"[fd01::2]", "[fd02::2]", "[fd02::1]"}}
	row := fasttest.NewRow(t)
	w := &world{t: t, ns: row.Router}
	w.open(fast.Config{})
	r := &relay{w: w}
	r.start(t, row)
	w.connect(row, false)
	port := 5201
	for _, from := range []uint8{4, 6} {
		for _, to := range []uint8{4, 6} {
			t.Run(fmt.Sprintf("%d-%d", from, to), func(t *testing.T) {
				port++
				src, dst := fmt.Sprintf("%s:%d", hosts[from][0], 34799+port), fmt.Sprintf("%s:%d", hosts[from][1], port)
				there, back := w.session(tuple(packet.ProtoTCP, src, dst),
					tuple(packet.ProtoTCP, fmt.Sprintf("%s:16386", hosts[to][2]), fmt.Sprintf("%s:%d", hosts[to][1], port)), fast.Fast|1500)
				syns := r.count(fast.PuntTCP)
				stream(t, row, src, dst, fmt.Sprintf("%s:%d", hosts[to][1], port), 8<<20)
				if n := r.count(fast.PuntTCP) - syns; n < 2 {
					t.Errorf("%d packets with SYN or RST were punted, want 2 or more", n)
				}
				packets, bytes, _, flags := w.table.Counters(there)
				if bytes < 8<<20 || packets < 5000 || flags&packet.FlagFIN == 0 {
					t.Errorf("there: %d packets, %d bytes, flags %#x", packets, bytes, flags)
				}
				if packets, _, _, _ = w.table.Counters(back); packets == 0 {
					t.Error("nothing came back")
				}
			})
		}
	}
	c := w.counters()
	if c.TC > 4*8<<20/3000 {
		t.Errorf("%d packets forwarded: super-packets were cut", c.TC)
	}
	if c.In != c.Forwarded()+c.Punted()+c.Dropped()+c.Host() {
		t.Errorf("counters do not add up: %+v", c)
	}
}

// stream sends n random bytes over TCP and compares their hash.
func stream(t *testing.T, row *fasttest.Row, src, dst, listen string, n int64) {
	t.Helper()
	ready := make(chan struct{})
	var got [32]byte
	served := inside(row.Server, func() error {
		l, err := net.Listen("tcp", listen)
		if err != nil {
			return err
		}
		defer l.Close()
		close(ready)
		_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
		c, err := l.Accept()
		if err != nil {
			return err
		}
		defer c.Close()
		h := sha256.New()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(h, c); err != nil {
			return err
		}
		h.Sum(got[:0])
		return nil
	})
	select {
	case <-ready:
	case err := <-served:
		t.Fatal(err)
	}
	h := sha256.New()
	sent := inside(row.Client, func() error {
		local, err := net.ResolveTCPAddr("tcp", src)
		if err != nil {
			return err
		}
		d := net.Dialer{LocalAddr: local, Timeout: time.Minute}
		c, err := d.Dial("tcp", dst)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		_, err = io.CopyN(io.MultiWriter(c, h), rand.NewChaCha8([32]byte{}), n)
		return err
	})
	for _, done := range []<-chan error{sent, served} {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if [32]byte(h.Sum(nil)) != got {
		t.Error("the stream arrived changed")
	}
}
