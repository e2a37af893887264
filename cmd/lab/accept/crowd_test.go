package accept

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"waymark/cmd/lab/emulate"
	"waymark/cmd/lab/world"
)

// Size and parts of a crowd: connections open at once over one service.
const (
	crowdSize    = 10_000
	crowdDialers = 200
	crowdText    = 300 // bytes that each sends, and gets
	crowdCommand = "_crowd"
	crowdReady   = "the crowd may come"
)

// serveCrowd is the server of a crowd, a process of its own since one process
// may not have files enough for both ends. It answers each text with its sum
// and a text that follows from it, and leaves closing to the client.
func serveCrowd(args []string) error {
	for _, addr := range args {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				go answerOne(c)
			}
		}()
	}
	fmt.Println(crowdReady)
	select {}
}

func answerOne(c net.Conn) {
	defer c.Close()
	text := make([]byte, crowdText)
	if _, err := io.ReadFull(c, text); err != nil {
		return
	}
	if _, err := c.Write(crowdAnswer(text)); err != nil {
		return
	}
	_, _ = c.Read(text) // the client ends it
}

// crowdAnswer is the SHA-256 of text and a text made from it.
func crowdAnswer(text []byte) []byte {
	h := sha256.Sum256(text)
	return append(h[:], freight(binary.BigEndian.Uint64(h[:]), crowdText)...)
}

func TestRow04TenThousandConnections(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmeWith(t, shortTimers(idleTCP)))
	s.gather(services...)
}

func TestRow04TenThousandConnectionsOnARoughLink(t *testing.T) {
	t.Parallel()
	s := newWorld(t, world.Options{})
	_, err := emulate.Between(s.w, world.ISPFiber, "branch", rough)
	s.must(err)
	s.startBoth(acmeWith(t, shortTimers(idleTCP)))
	s.gather(services...)
}

// crowding is held by who has a crowd: two have more descriptors than a process
// may have.
var crowding sync.Mutex

// gather holds one crowd per service, each on its own, and waits for the tables
// to empty.
func (s *site) gather(list ...struct{ name, addr string }) {
	s.Helper()
	self, err := os.Executable()
	s.must(err)
	argv := []string{self, crowdCommand}
	for _, svc := range list {
		argv = append(argv, svc.addr)
	}
	server, err := s.w.Start(world.Server, argv...)
	s.must(err)
	s.must(server.WaitOutput(crowdReady, patience))
	before := [2]int{s.live(s.branch), s.live(s.hub)}
	s.Run("one crowd at a time", func(t *testing.T) {
		crowding.Lock()
		defer crowding.Unlock()
		for _, svc := range list {
			t.Run(svc.name, func(t *testing.T) { s.in(t).crowd(svc.addr) })
		}
	})
	s.comeBack(before)
}

// crowd opens all connections, lets each one talk, and closes them when the
// last has had its answer.
func (s *site) crowd(addr string) {
	s.Helper()
	start := time.Now()
	conns := make(chan net.Conn, crowdSize)
	failed := make(chan error, crowdSize)
	var dialers sync.WaitGroup
	for w := range crowdDialers {
		dialers.Go(func() {
			err := s.inside(world.Client, func() error { return dialMany(addr, w, conns, failed) })
			if err != nil {
				failed <- err
			}
		})
	}
	dialers.Wait()
	close(conns)
	opened := time.Since(start)
	if n := s.live(s.branch); n < crowdSize*99/100 {
		s.Errorf("%d sessions while %d connections are open", n, len(conns))
	}
	n := 0
	for c := range conns {
		c.Close()
		n++
	}
	if n != crowdSize || len(failed) > 0 {
		s.Errorf("%d of %d connections, %d failed: %v", n, crowdSize, len(failed), firstErrors(failed))
	}
	s.Logf("%d connections open at once after %.1f s, every sum right", n, opened.Seconds())
}

// dialMany opens one dialer's share and lets each connection talk.
func dialMany(addr string, w int, conns chan<- net.Conn, failed chan<- error) error {
	var talking sync.WaitGroup
	defer talking.Wait()
	for i := w; i < crowdSize; i += crowdDialers {
		c, err := (&net.Dialer{Timeout: patience}).Dial("tcp", addr)
		if err != nil {
			failed <- err
			continue
		}
		conns <- c
		talking.Go(func() {
			if err := talk(c, uint64(i)); err != nil {
				failed <- fmt.Errorf("connection %d: %w", i, err)
			}
		})
	}
	return nil
}

// talk sends a text and checks sum and text of the answer.
func talk(c net.Conn, seed uint64) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	text := freight(seed, crowdText)
	if _, err := c.Write(text); err != nil {
		return err
	}
	want := crowdAnswer(text)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != string(want) {
		return fmt.Errorf("the answer differs")
	}
	return nil
}

func firstErrors(failed <-chan error) (list []error) {
	for len(list) < 5 {
		select {
		case err := <-failed:
			list = append(list, err)
		default:
			return list
		}
	}
	return list
}
