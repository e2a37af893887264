package dgram

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const testPort = 16377

// opened is a socket in both families, for each of which fn runs.
func opened(t *testing.T, fn func(t *testing.T, s *Socket, self netip.Addr)) {
	for _, self := range []string{"127.0.0.1", "::1"} {
		t.Run(self, func(t *testing.T) {
			a := netip.MustParseAddr(self)
			s, err := Open(Config{Port: testPort, V6: a.Is6(), Buffer: 1 << 20, Batch: 16, Longest: 9000})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			fn(t, s, a)
		})
	}
}

func loopback(t *testing.T) uint32 {
	t.Helper()
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	return uint32(lo.Index)
}

// toSelf is a datagram of so many bytes that a socket sends to itself.
func toSelf(self netip.Addr, lo uint32, size int, fill byte) *Out {
	return &Out{Data: bytes.Repeat([]byte{fill}, size), From: self, Index: lo, To: netip.AddrPortFrom(self, testPort), Hops: 77, DSCP: 48}
}

// What is sent arrives in order, with all that is to be known of it, however much it is.
func TestBatches(t *testing.T) {
	lo := loopback(t)
	opened(t, func(t *testing.T, s *Socket, self netip.Addr) {
		sizes := []int{0, 1, 68, short, short + 1, 1400, 8999}
		for i := range 100 {
			o := toSelf(self, lo, sizes[i%len(sizes)], byte(i))
			o.Whole = i%5 == 0
			s.Send(o)
			clear(o.Data) // it is the caller's again
		}
		s.Flush()
		var d In
		for i := 0; i < 100; {
			n, err := s.Wait()
			if err != nil {
				t.Fatal(err)
			}
			if n > s.Batch() {
				t.Fatalf("%d datagrams in a batch of %d", n, s.Batch())
			}
			for k := range n {
				if !s.Datagram(k, &d) {
					t.Fatalf("datagram %d: not all is known", i)
				}
				want := In{From: netip.AddrPortFrom(self, testPort), To: self, Index: lo, Hops: 77}
				if data := bytes.Repeat([]byte{byte(i)}, sizes[i%len(sizes)]); !bytes.Equal(d.Data, data) {
					t.Errorf("datagram %d: %d bytes, want %d of %d", i, len(d.Data), len(data), byte(i))
				}
				if d.Data = nil; fmt.Sprint(d) != fmt.Sprint(want) {
					t.Errorf("datagram %d: %+v, want %+v", i, d, want)
				}
				i++
			}
		}
		if n := s.Receive(); n != 0 {
			t.Errorf("%d more", n)
		}
	})
}

// pollable says whether Go would be told that something arrived.
func pollable(t *testing.T, s *Socket) bool {
	t.Helper()
	var n int
	var err error
	if e := s.wake.raw.Control(func(fd uintptr) {
		var events [2]unix.EpollEvent
		n, err = unix.EpollWait(int(fd), events[:], 0)
	}); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return n > 0
}

// What arrives at a muted socket wakes nobody and is there; what waits when it is not
// muted any more is found, and what comes later wakes.
func TestMute(t *testing.T) {
	lo := loopback(t)
	opened(t, func(t *testing.T, s *Socket, self netip.Addr) {
		send := func() { s.Send(toSelf(self, lo, 10, 1)); s.Flush() }
		mute := func(on bool) {
			t.Helper()
			if err := s.Mute(on); err != nil {
				t.Fatal(err)
			}
		}
		mute(true)
		send()
		if pollable(t, s) {
			t.Error("a muted socket tells of a datagram")
		}
		if n := s.Receive(); n != 1 {
			t.Fatalf("%d datagrams at a muted socket, want 1", n)
		}
		send()
		mute(false)
		if !pollable(t, s) {
			t.Error("nobody is told of what came meanwhile")
		}
		if n, err := s.Wait(); n != 1 || err != nil {
			t.Fatalf("%d datagrams that came meanwhile, %v", n, err)
		}
		got := make(chan int)
		go func() {
			n, err := s.Wait()
			if err != nil {
				n = -1
			}
			got <- n
		}()
		for deadline := time.After(10 * time.Second); ; {
			send()
			select {
			case n := <-got:
				if n < 1 {
					t.Error("Wait failed")
				}
				return
			case <-deadline:
				t.Fatal("nobody woke")
			}
		}
	})
}

// A stamp is from when the datagram came, not from when it was read.
func TestStamp(t *testing.T) {
	lo := loopback(t)
	opened(t, func(t *testing.T, s *Socket, self netip.Addr) {
		if err := s.Stamp(); err != nil {
			t.Fatal(err)
		}
		const lain = 20 * time.Millisecond
		var d In
		for deadline := time.Now().Add(10 * time.Second); ; { // the kernel begins to stamp a moment later
			before := time.Now()
			s.Send(toSelf(self, lo, 10, 1))
			s.Flush()
			<-time.After(lain) // it is what is measured
			n := s.Receive()
			if took := time.Since(before); n == 1 && s.Datagram(0, &d) && d.Age >= int64(lain) && d.Age <= int64(took) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d datagrams, age %v after %v", n, time.Duration(d.Age), time.Since(before))
			}
		}
	})
}

func TestAge(t *testing.T) {
	const now = int64(1)<<32*1e9 + 500 // seconds that do not fit in 32 bits
	long := func(sec, ns int64) []byte {
		return binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, uint64(sec)), uint64(ns))
	}
	small := func(sec, ns int64) []byte {
		return binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, uint32(sec)), uint32(ns))
	}
	for _, row := range []struct {
		name string
		b    []byte
		want int64
	}{
		{"64 bits", long(1<<32, 100), 400}, {"the second before", long(1<<32-1, 999_999_999), 501},
		{"32 bits, wrapped", small(1<<32-2, 500), 2e9}, {"the clock was set back", long(1<<32+100, 0), 0}, {"too short", []byte{1}, 0},
	} {
		if got := age(row.b, now); got != row.want {
			t.Errorf("%s: %d ns, want %d", row.name, got, row.want)
		}
	}
}

// Close ends who waits.
func TestClose(t *testing.T) {
	s, err := Open(Config{Port: testPort, Batch: 1, Longest: 100})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { _, err := s.Wait(); done <- err }()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("Wait went on")
	}
	if s.Flush(); s.Receive() != 0 {
		t.Error("a closed socket receives")
	}
	if s.Mute(true) == nil {
		t.Error("a closed socket can be muted")
	}
}

// A port that is taken is an error that says which.
func TestOpenTwice(t *testing.T) {
	opened(t, func(t *testing.T, _ *Socket, self netip.Addr) {
		if _, err := Open(Config{Port: testPort, V6: self.Is6(), Batch: 1, Longest: 100}); err == nil {
			t.Error("opened twice")
		}
	})
}

func TestNothingAllocates(t *testing.T) {
	lo := loopback(t)
	opened(t, func(t *testing.T, s *Socket, self netip.Addr) {
		o, d := toSelf(self, lo, 68, 1), new(In)
		if n := testing.AllocsPerRun(100, func() {
			s.Send(o)
			s.Flush()
			for i := range s.Receive() {
				s.Datagram(i, d)
			}
		}); n != 0 {
			t.Errorf("%v allocations for a datagram", n)
		}
	})
}
