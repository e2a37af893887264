package accept

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"waymark/cmd/lab/emulate"
	"waymark/cmd/lab/world"
)

// services are one clear and one encrypted service of acme.json; both listen
// behind the hub.
var services = []struct{ name, addr string }{
	{"clear", "10.20.0.5:5001"},
	{"payroll", "10.20.0.80:8443"},
}

// rough is the link of row 4.
var rough = emulate.Impairment{Delay: 500 * time.Microsecond, Loss: 0.02, Duplicate: 0.02,
	Reorder: 0.05, ReorderBy: 2 * time.Millisecond, Seed: 11}

// idleTCP is the idle timeout that these tests give TCP, in seconds. Sessions
// that closed both ways rest 10 s.
const idleTCP = 60

// dialogue is a conversation over a connection of its own; scale is larger
// where the link is good.
type dialogue struct {
	name string
	run  func(p pair, scale int64) error
}

var dialogues = []dialogue{
	{"bulk", func(p pair, scale int64) error { return both(p, 1, scale<<20, 64<<10) }},
	{"single bytes", func(p pair, scale int64) error { return both(p, 2, 250*scale, 1) }},
	{"odd sizes", func(p pair, scale int64) error { return both(p, 3, scale<<17, 1461) }},
	{"half-close", halfClose},
	{"half-close by the server", func(p pair, scale int64) error { return halfClose(p.swap(), scale) }},
	{"server resets", func(p pair, _ int64) error { return resetBy(p.swap()) }},
	{"client resets", func(p pair, _ int64) error { return resetBy(p) }},
}

// halfClose: the client sends and closes its side; only then the server speaks.
func halfClose(p pair, scale int64) error {
	n := scale << 17
	if err := ship(p.client, p.server, 4, n, 9000); err != nil {
		return err
	}
	if err := p.client.CloseWrite(); err != nil {
		return fmt.Errorf("close client's side: %w", err)
	}
	if got, err := p.server.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("server behind the client's end: got %d bytes, %v, want EOF", got, err)
	}
	if err := ship(p.server, p.client, 5, n, 9000); err != nil {
		return fmt.Errorf("after half-close: %w", err)
	}
	if err := p.server.CloseWrite(); err != nil {
		return fmt.Errorf("close server's side: %w", err)
	}
	if got, err := p.client.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("client behind the server's end: got %d bytes, %v, want EOF", got, err)
	}
	return nil
}

// resetBy: the client breaks off in mid-stream. What arrived until then is
// right, and the server, who goes on sending, is told.
func resetBy(p pair) error {
	const n = 300_000
	if err := ship(p.server, p.client, 6, n, 4096); err != nil {
		return err
	}
	if err := p.client.SetLinger(0); err != nil {
		return err
	}
	if err := p.client.Close(); err != nil {
		return err
	}
	for {
		_, err := p.server.Write(make([]byte, 4096))
		switch {
		case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
			return nil
		case err != nil:
			return fmt.Errorf("send to who reset: %w", err)
		}
	}
}

func TestRow04NoByteDiffers(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmeWith(t, shortTimers(idleTCP)))
	s.converse(32)
}

func TestRow04NoByteDiffersOnARoughLink(t *testing.T) {
	t.Parallel()
	s := newWorld(t, world.Options{})
	_, err := emulate.Between(s.w, world.ISPFiber, "branch", rough)
	s.must(err)
	s.startBoth(acmeWith(t, shortTimers(idleTCP)))
	s.converse(3)
}

// converse holds every dialogue over both services, all at once, sends
// datagrams, and waits until nothing of it is left in the session tables.
func (s *site) converse(scale int64) {
	s.Helper()
	before := [2]int{s.live(s.branch), s.live(s.hub)}
	s.Run("dialogues", func(t *testing.T) {
		s := s.in(t)
		var done sync.WaitGroup // no parallel subtests: they might wait for other tests' turns
		defer done.Wait()
		for _, svc := range services {
			l := s.listen(world.Server, svc.addr)
			for _, d := range dialogues {
				p := s.connect(world.Client, l)
				done.Go(func() {
					defer p.close()
					if err := d.run(p, scale); err != nil {
						t.Errorf("%s %s: %v", svc.name, d.name, err)
					}
				})
			}
		}
		t.Run("datagrams", func(t *testing.T) { s.in(t).datagrams(300) })
		t.Run("ping", func(t *testing.T) {
			s.exec(world.Client, "ping", "-n", "-c", "10", "-i", "0.02", "-s", "1000", "-W", "5", "10.20.0.5")
		})
	})
	s.comeBack(before)
}

// live is how many sessions a router has.
func (s *site) live(r *world.Router) int {
	s.Helper()
	return s.capacity(r, "session-table").Entries
}

// strays is how long the hosts' own retransmissions may keep a closed
// connection alive: the idle timeout counts from the last of them. A FIN that was lost
// eight times is sent 51 s after the time before, 102 s after the first.
const strays = 110

// comeBack waits until the tables hold no more than before: the idle timeout
// and 5 s after the last packet.
func (s *site) comeBack(before [2]int) {
	s.Helper()
	start := time.Now()
	for i, r := range []*world.Router{s.branch, s.hub} {
		most := s.capacity(r, "session-table").Highest
		err := world.Until((strays+idleTCP+5)*time.Second, "end of sessions", func() (bool, error) {
			return s.live(r) <= before[i], nil
		})
		if err != nil {
			out, _ := r.Show("sessions")
			s.Errorf("%v: %d sessions left, %d before\n%.4000s", err, s.live(r), before[i], out)
		}
		s.Logf("%s: up to %d sessions, %d again after %.1f s", r.Run, most, before[i], time.Since(start).Seconds())
	}
}

// datagrams sends datagrams of all sizes over one flow. Some may be lost or
// arrive twice on a rough link; what arrives is what was sent.
func (s *site) datagrams(n int) {
	s.Helper()
	server := s.socket(world.Server, "10.20.0.5:4500")
	client := s.dial(world.Client, "udp", "10.20.0.5:4500")
	go func() {
		for i := range n {
			if _, err := client.Write(datagram(i)); err != nil {
				s.Errorf("send datagram %d: %v", i, err)
			}
			_ = client.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			_, _ = client.Read(make([]byte, 1)) // an answer sets the pace; on a rough link some are lost
		}
		_ = server.SetReadDeadline(time.Now().Add(time.Second)) // ends the receiver
	}()
	seen := map[int]bool{}
	buf := make([]byte, 1<<16)
	for {
		m, from, err := server.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			s.Fatal(err)
		}
		i := int(buf[0])<<8 | int(buf[1])
		if m < 4 || i >= n || !bytes.Equal(buf[:m], datagram(i)) {
			s.Errorf("a datagram of %d bytes (number %d) is not what was sent", m, i)
		}
		seen[i] = true
		_, _ = server.WriteTo(buf[:1], from)
	}
	if len(seen) < n*8/10 {
		s.Errorf("%d of %d datagrams arrived", len(seen), n)
	}
	s.Logf("%d of %d datagrams", len(seen), n)
}

// datagram i: its number, then bytes that follow from it.
func datagram(i int) []byte {
	b := freight(uint64(i)+1000, 4+i*4%1400)
	b[0], b[1] = byte(i>>8), byte(i)
	return b
}
