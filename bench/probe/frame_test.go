package probe

import (
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"
)

// valid tells whether both checksums of a generated frame are right.
func valid(b []byte) bool {
	ip, udp := b[14:34], b[offPort:FrameSize]
	pseudo := sum(protoUDP+uint32(len(udp)), ip[12:20])
	return sum(0, ip) == 0xffff && sum(uint32(pseudo), udp) == 0xffff
}

// TestGenerator runs the program as the kernel does, one frame at a time, over
// a page that a router has scribbled on.
func TestGenerator(t *testing.T) {
	f := Flows{DstMAC: [6]byte{2, 1}, SrcMAC: [6]byte{2, 2}, From: [4]byte{10, 1}, To: [4]byte{10, 2, 0, 2}, Port: 5001, Count: 1 << 20}
	state, err := arrayMap("state", stateSize)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	p, err := generatorProgram(state, 1, &f)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, flow := range []uint64{0, 1, 1023, 1 << 14, 1<<20 - 1, 1 << 20} {
		if err := state.Put(uint32(0), [3]uint64{flow << 3, 7, 3}); err != nil {
			t.Fatal(err)
		}
		in, out := make([]byte, FrameSize), make([]byte, FrameSize)
		for i := range in {
			in[i] = 0xa5
		}
		if _, err := p.Run(&ebpf.RunOptions{Data: in, DataOut: out}); err != nil {
			t.Fatal(err)
		}
		got := [2]uint16{binary.BigEndian.Uint16(out[offSource:]), binary.BigEndian.Uint16(out[offPort:])}
		n := uint16(flow & (1<<20 - 1) >> 14)
		want := [2]uint16{n<<8 | hostNumber, uint16(firstPort + flow&(1<<14-1))}
		if got != want || !valid(out) {
			t.Errorf("flow %d: got source %x port %d checksums %t, want %x %d", flow, got[0], got[1], valid(out), want[0], want[1])
		}
		// The next run is one of those that send nothing at this pace.
		if v, err := p.Run(&ebpf.RunOptions{Data: in}); err != nil || v != xdpDrop {
			t.Errorf("flow %d, next run: got verdict %d %v, want %d", flow, v, err, xdpDrop)
		}
	}
}
