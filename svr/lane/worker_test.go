package lane_test

import (
	"encoding/binary"
	"errors"
	"flag"
	"net"
	"os"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/svr/lane"
	"waymark/svr/lane/lanetest"
)

// All tests run with a lane that does everything itself, then with one that has
// workers.
func TestMain(m *testing.M) {
	code := m.Run()
	if lanetest.Workers = 2; code == 0 && flag.Lookup("test.bench").Value.String() == "" {
		code = m.Run()
	}
	os.Exit(code)
}

const floodFlows = 40

// flood sends numbered datagrams of several flows, as fast as it can, and returns
// how many.
func flood(to string, rounds int) (sent int, err error) {
	var flows []net.Conn
	for range floodFlows {
		c, err := net.Dial("udp", to)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		flows = append(flows, c)
	}
	b := make([]byte, 400)
	for n := range rounds {
		for i, c := range flows {
			binary.BigEndian.PutUint32(b, uint32(i))
			binary.BigEndian.PutUint32(b[4:], uint32(n+1))
			if _, err := c.Write(b); err == nil {
				sent++
			}
		}
	}
	return sent, nil
}

// count reads datagrams until c is closed, adds them to got, and returns how many came
// behind one that was sent after them.
func count(c net.PacketConn, got *atomic.Int64) (late int, err error) {
	var last [floodFlows]uint32
	b := make([]byte, 2048)
	for {
		if _, _, err = c.ReadFrom(b); err != nil {
			if errors.Is(err, net.ErrClosed) {
				err = nil
			}
			return late, err
		}
		got.Add(1)
		i, n := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
		if n < last[i] {
			late++
		}
		last[i] = n
	}
}

// Under more load than it can carry a lane with workers keeps the order of every
// flow, and what does not arrive was counted.
func TestFloodKeepsOrder(t *testing.T) {
	for _, workers := range []int{0, 1, 3} {
		n := lanetest.NewNet(t)
		guardRouter(t, n)
		hops := n.Start(t, func(l, r *lane.PortConfig, c *lane.Config) {
			c.Workers, r.Interfaces[0].CoalesceUDP = workers, true
		})
		waitResolved(t, n, hops)
		var server net.PacketConn
		nstest.In(t, n.Server, func() (err error) {
			if server, err = net.ListenPacket("udp", "10.2.0.2:0"); err != nil {
				return err
			}
			return setsockopt(server.(*net.UDPConn), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
		})
		_, before, beforeR := counters(t, n)
		drops := nstest.BacklogDrops(t)
		var got atomic.Int64
		late, read := 0, make(chan error, 1)
		go func() { var err error; late, err = count(server, &got); read <- err }()
		sent := 0
		if err := netns.Do(n.Client, func() (err error) { sent, err = flood(server.LocalAddr().String(), 2000); return err }); err != nil {
			t.Fatal(err)
		}
		lost := 0
		all := func() bool {
			l, left, right := n.Lane.Counters(), n.Lane.Ports()[0].Counters(), n.Lane.Ports()[1].Counters()
			lost = int(left.RxDropped-before.RxDropped) + int(l.NoBuffer+l.HopDropped) + int(right.TxErrors-beforeR.TxErrors) + nstest.BacklogDrops(t) - drops
			return int(got.Load())+lost >= sent
		}
		accounted := soon(t, n.Lane, all)
		server.Close()
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		t.Logf("%d workers: sent %d, got %d, lost %d", workers, sent, got.Load(), lost)
		if late != 0 || got.Load() == 0 || !accounted {
			t.Errorf("%d workers: %d of %d arrived, %d late, %d counted as lost", workers, got.Load(), sent, late, lost)
		}
	}
}

// A port that is taken out under load, and a lane that ends under load, leave
// nothing that hangs, and the other port goes on.
func TestDetachUnderLoad(t *testing.T) {
	n := lanetest.NewNet(t)
	guardRouter(t, n)
	hops := n.Start(t, func(l, r *lane.PortConfig, c *lane.Config) { c.Workers = 2 })
	waitResolved(t, n, hops)
	done := make(chan error, 1)
	go func() {
		done <- netns.Do(n.Client, func() error { _, err := flood("10.2.0.2:9", 1500); return err })
	}()
	eventually(t, n.Lane, "load", func() bool { return n.Lane.Ports()[1].Counters().TxPackets > 2000 })
	if err := n.Lane.Do(func() { n.Lane.Detach(n.Lane.Ports()[1]) }); err != nil {
		t.Fatal(err)
	}
	before := lane.Counters{}
	eventually(t, n.Lane, "packets without a port", func() bool { before = n.Lane.Counters(); return before.NoInterface > 100 })
	var again *lane.Port
	nstest.In(t, n.Router, func() (err error) {
		again, err = lane.OpenPort(lane.PortConfig{Name: lanetest.RightIf, Interfaces: []lane.Interface{{ID: 2}}, Workers: 2})
		return err
	})
	var err error
	if e := n.Lane.Do(func() { err = n.Lane.Attach(again) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	waitResolved(t, n, hops)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ping(t, n.Client, "10.2.0.2", 2)
}
