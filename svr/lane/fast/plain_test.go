package fast_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/cilium/ebpf"

	"waymark/svr/lane/fast"
	"waymark/svr/packet"
)

// twin is the same packet without and with a tag, of two directions that do the same.
type twin struct {
	plain, tagged []byte
}

// spoil changes a packet's bytes at random, those that the programs look at more often.
func (v *twin) spoil(rnd *rand.Rand) {
	set := func(at int, b byte) {
		if at < len(v.plain) {
			v.plain[at], v.tagged[at+4] = b, b
		}
	}
	const ip = 14
	for range rnd.IntN(3) {
		switch rnd.IntN(9) {
		case 0: // length
			set(ip+3, v.plain[ip+3]+byte(rnd.IntN(17))-8)
		case 1: // fragments
			set(ip+6, byte(rnd.Uint32()))
		case 2: // hop limit
			set(ip+8, byte(rnd.IntN(3)))
		case 3: // length of the TCP header, or of the UDP packet
			set(ip+32, byte(rnd.Uint32()))
		case 4: // TCP flags, or half a UDP checksum
			set(ip+33, byte(rnd.Uint32()))
		case 5: // checksums at their ends
			at := ip + []int{10, 26, 36}[rnd.IntN(3)]
			b := []byte{0, 0xff}[rnd.IntN(2)]
			set(at, b)
			set(at+1, b)
		case 6: // protocol
			set(ip+9, byte(rnd.IntN(20)))
		case 7: // the cookie, whole or half
			for i := range cookie[:4+4*rnd.IntN(2)] {
				set(len(v.plain)-8+i, cookie[i])
			}
		case 8:
			set(ip+rnd.IntN(len(v.plain)-ip), byte(rnd.Uint32()))
		}
	}
	if rnd.IntN(8) == 0 { // shorter than it says
		n := max(len(v.plain)-rnd.IntN(20), 20)
		v.plain, v.tagged = v.plain[:n], v.tagged[:n+4]
	}
}

// TestPlainIsGeneral: the short way of the XDP program and the general one, which tags
// make packets take, do the same with what is spoilt in all ways: verdict, bytes,
// counters.
func TestPlainIsGeneral(t *testing.T) {
	w := bench(t)
	xdp := w.load(fast.ProgXDP, fast.PortConfig{Index: 1, Untagged: 1})
	rnd := rand.New(rand.NewPCG(3, 0))
	verdicts, shortcuts := map[uint32]int{}, 0
	for n := range uint16(6000) {
		proto := []uint8{packet.ProtoTCP, packet.ProtoUDP}[n&1]
		to := []uint8{4, 4, 4, 6}[rnd.IntN(4)]
		f, target := randomFrame(rnd, 4, to, proto, n)
		if rnd.IntN(4) == 0 {
			f.payload = f.payload[:min(len(f.payload), rnd.IntN(16))]
		}
		if rnd.IntN(8) == 0 {
			f.payload = append(bytes.Clone(cookie), f.payload...)
		}
		if to == 4 && proto == packet.ProtoUDP && len(f.payload) > 1 && rnd.IntN(8) == 0 {
			f.noCsum = false
			sumToZero(t, &f, target)
		}
		flags := fast.Fast | uint16(1500)
		switch rnd.IntN(12) {
		case 0:
			flags = 1500
		case 1:
			flags = fast.Fast | uint16(len(f.ip())+rnd.IntN(3)-1)
		}
		hop := []uint16{2, 2, 2, 4, 4, 5, 6, 60000}[rnd.IntN(8)]
		slots := [2]uint32{w.insert(f.t, 1, target, hop, flags), w.insert(f.t, 3, target, hop, flags)}
		v := twin{plain: f.bytes()}
		f.vlan = 30
		v.tagged = f.bytes()
		v.spoil(rnd)
		verdict := w.same(t, xdp, &v, slots)
		if verdicts[verdict]++; verdict == xdpRedirect && to == 4 {
			shortcuts++
		}
		w.remove(slots[0])
		w.remove(slots[1])
	}
	if verdicts[xdpPass] < 1000 || shortcuts < 1000 {
		t.Errorf("verdicts %v, %d packets went the short way: too few to tell", verdicts, shortcuts)
	}
	t.Logf("verdicts %v, %d packets went the short way", verdicts, shortcuts)
}

// sumToZero changes the payload of a UDP packet such that its checksum, when it leaves,
// is the one that is written as 0xffff.
func sumToZero(t *testing.T, f *frame, to packet.Tuple) {
	t.Helper()
	sum := uint32(binary.BigEndian.Uint16(readdressed(t, f.ip(), to)[26:]))
	sum += uint32(binary.BigEndian.Uint16(f.payload))
	binary.BigEndian.PutUint16(f.payload, uint16(sum+sum>>16))
	if got := binary.BigEndian.Uint16(readdressed(t, f.ip(), to)[26:]); got != 0xffff {
		t.Fatalf("checksum %#x, want 0xffff", got)
	}
}

// same runs a program on both of a twin and compares.
func (w *world) same(t *testing.T, xdp *ebpf.Program, v *twin, slots [2]uint32) uint32 {
	t.Helper()
	before := w.counters()
	verdict, out := run(t, xdp, v.plain, nil)
	between := w.counters()
	verdict2, out2 := run(t, xdp, v.tagged, nil)
	after := w.counters()
	if verdict == xdpPass && verdict2 == xdpPass {
		a, b := noteOf(t, out, v.plain, slots[0]), noteOf(t, out2, v.tagged, slots[1])
		if a != b {
			t.Errorf("short: note %x, general: %x, of %x", a, b, v.plain)
		}
	} else if verdict != verdict2 || !bytes.Equal(out, out2) {
		t.Errorf("short: verdict %d %x\ngeneral: %d %x\nwas %x", verdict, out, verdict2, out2, v.plain)
	}
	if a, b := between.XDP-before.XDP, after.XDP-between.XDP; a != b {
		t.Errorf("short: %d forwarded, general: %d, of %x", a, b, v.plain)
	}
	packets, n, _, flags := w.table.Counters(slots[0])
	packets2, n2, _, flags2 := w.table.Counters(slots[1])
	if packets != packets2 || n != n2 || flags != flags2 {
		t.Errorf("short: %d packets, %d bytes, flags %x, general: %d, %d, %x, of %x", packets, n, flags, packets2, n2, flags2, v.plain)
	}
	return verdict
}

// noteOf returns the reason that stands in front of a packet which went up unchanged: 0 for
// none, 0x80 for a hit of slot.
func noteOf(t *testing.T, out, in []byte, slot uint32) uint32 {
	t.Helper()
	if bytes.Equal(out, in) {
		return 0
	}
	if len(out) != len(in)+8 || !bytes.Equal(out[8:], in) {
		t.Errorf("changed, and passed:\n got %x\n was %x", out, in)
		return 0
	}
	const hit = 1 << 31
	note := binary.NativeEndian.Uint32(out[4:])
	if note&hit != 0 && note != hit|slot {
		t.Errorf("note %x, want slot %x", note, slot)
	}
	if note&hit != 0 {
		return hit >> 24
	}
	return note >> 24
}
