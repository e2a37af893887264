package secure

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
)

const (
	// Most is how many packets a Batch takes.
	Most = 16
	// LongestInBatch is the most bytes that a packet in a Batch may have.
	LongestInBatch = 2048
)

// Batch is the memory in which up to Most packets of one length are sealed or
// verified at once: each in a lane of the CPU's widest registers, see shaLanes. It belongs to
// one goroutine and serves all its policies. The zero value is ready.
type Batch struct {
	used       int             // lanes that have a packet
	state, mid [8][Most]uint32 // word by word; mid behind the whole blocks of the messages
	at         [Most]*byte     // what each lane works on; only while it does
	tail       [Most][tailRoom]byte
	sum        [Most][sha256Size]byte
	chain      [Most][aes.BlockSize]byte
	idle       [LongestInBatch]byte // what lanes without a packet encrypt
}

// From how many packets on a Batch takes less time than pairs, and than one by
// one: it takes the same time for all numbers.
const (
	leastForPairs = 10
	leastForOnes  = 3
)

// Many tells whether SealCBCMany and VerifyMany may be called.
func (p *Policy) Many() bool { return p.many != nil }

// Least is from how many packets on they should be.
func (p *Policy) Least() int {
	if p.twin != nil {
		return leastForPairs
	}
	return leastForOnes
}

// Gathers tells whether several packets, two or more, may take less time together
// than one after the other.
func (p *Policy) Gathers() bool { return p.twin != nil || p.many != nil }

// VerifyMany is Verify for packets of one length, 1 to Most of them, each a
// message with its digest behind it. Only where Many says so.
func (p *Policy) VerifyMany(b *Batch, packets [][]byte, verdicts []Verdict, unix int64) {
	n := len(packets[0]) - p.size
	b.begin(p.many, packets, n)
	b.digests(p.many, packets, n, p.end(Tick(unix)))
	for i, packet := range packets {
		verdicts[i] = p.judgeMany(b, i, packet[:n], packet[n:], unix)
	}
}

// judgeMany compares a digest with the one of lane i, and looks for another tick
// when it differs.
func (p *Policy) judgeMany(b *Batch, i int, msg, digest []byte, unix int64) Verdict {
	if subtle.ConstantTimeCompare(b.sum[i][:p.size], digest) == 1 {
		return Good
	}
	if p.cfg.Mode != ModeTimeBased {
		return Bad
	}
	if p.twin == nil {
		return p.Verify(msg, digest, unix)
	}
	m := &p.twin.lane[0]
	for w := range m.mid {
		m.mid[w] = b.mid[w][i]
	}
	m.rest(msg, len(msg)/macBlock*macBlock)
	return p.verifyTicks(digest, Tick(unix))
}

// SealCBCMany is SealCBC for the first n bytes of packets, 1 to Most of them,
// under one IV each; n is not 0. It returns the length of the results, which
// every packet must have room for, at most LongestInBatch. Only where Many says
// so, with a CBC cipher.
func (p *Policy) SealCBCMany(b *Batch, packets [][]byte, n int, iv *[Most][aes.BlockSize]byte, unix int64) int {
	whole := n - n%aes.BlockSize + aes.BlockSize
	end := whole + aes.BlockSize
	for i, packet := range packets {
		padded(packet[:end], n, &iv[i])
	}
	b.encrypt(p.cbc.keys, packets, whole, iv)
	b.begin(p.many, packets, end)
	b.digests(p.many, packets, end, p.end(Tick(unix)))
	for i, packet := range packets {
		copy(packet[end:end+p.size], b.sum[i][:])
	}
	return end + p.size
}

// encrypt encrypts n bytes of every packet, eight at a time.
func (b *Batch) encrypt(keys *aesKeys, packets [][]byte, n int, iv *[Most][aes.BlockSize]byte) {
	b.chain = *iv
	for i := range b.at {
		b.at[i] = &b.idle[0]
		if i < len(packets) {
			b.at[i] = &packets[i][0]
		}
	}
	for i := 0; i < len(packets); i += Most / 2 {
		cbcEncrypt8(&keys.enc[0], keys.rounds, (*[8][16]byte)(b.chain[i:]), (*[8]*byte)(b.at[i:]), n/aes.BlockSize)
	}
	b.at = [Most]*byte{}
}

// begin hashes the whole blocks of the first n bytes of every packet. Lanes
// without one do as the first.
func (b *Batch) begin(t *hmacKeys, packets [][]byte, n int) {
	b.used = len(packets)
	b.set(&t.inner)
	if n >= macBlock {
		for i := range b.at {
			b.at[i] = &packets[0][0]
			if i < len(packets) {
				b.at[i] = &packets[i][0]
			}
		}
		b.blocks(n / macBlock)
	}
	b.mid = b.state
}

// digests makes the digest of every lane, with an end behind its n bytes.
func (b *Batch) digests(t *hmacKeys, packets [][]byte, n int, end []byte) {
	hashed := n / macBlock * macBlock
	for i, packet := range packets {
		k := copy(b.tail[i][:], packet[hashed:n])
		copy(b.tail[i][k:], end)
	}
	b.last(len(packets), n-hashed+len(end), macBlock+n+len(end))
	for i := range packets {
		b.get(i, b.tail[i][:])
	}
	b.set(&t.outer)
	b.last(len(packets), sha256Size, macBlock+sha256Size)
	for i := range packets {
		b.get(i, b.sum[i][:])
	}
}

// last adds the padding behind n bytes in the first tails, the end of messages of
// total bytes, and hashes them (FIPS 180-4 5.1.1).
func (b *Batch) last(packets, n, total int) {
	to := (n + 1 + 8 + macBlock - 1) / macBlock * macBlock
	for i := range packets {
		tail := &b.tail[i]
		clear(tail[n:to])
		tail[n] = 0x80
		binary.BigEndian.PutUint64(tail[to-8:], uint64(total)*8)
	}
	for i := range b.at {
		b.at[i] = &b.tail[i][0]
	}
	b.blocks(to / macBlock)
}

func (b *Batch) blocks(n int) {
	if shaLanes == Most {
		shaBlocks16(&b.state, &sha256K, &b.at, n)
	} else {
		for i := 0; i < b.used; i += Most / 2 {
			shaBlocks8(&b.state[0][i], &sha256K, &b.at[i], n)
		}
	}
	b.at = [Most]*byte{}
}

// soleState is the state of SHA-256 behind one block.
func soleState(block *[macBlock]byte) (state [8]uint32) {
	b := Batch{used: 1}
	b.set(&sha256Start)
	for i := range b.at {
		b.at[i] = &block[0]
	}
	b.blocks(1)
	for w := range state {
		state[w] = b.state[w][0]
	}
	return state
}

// set makes one state that of every lane.
func (b *Batch) set(state *[8]uint32) {
	for w, v := range state {
		for i := range b.state[w] {
			b.state[w][i] = v
		}
	}
}

// get writes the state of lane i.
func (b *Batch) get(i int, to []byte) {
	_ = to[sha256Size-1]
	for w := range b.state {
		binary.BigEndian.PutUint32(to[4*w:], b.state[w][i])
	}
}
