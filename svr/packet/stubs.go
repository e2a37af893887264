package packet

// Segmenter cuts a packet into packets of at most max payload bytes.
type Segmenter struct{ src *Packet }

// Init begins to cut p; the payload of a segment is at most max bytes.
func (s *Segmenter) Init(p *Packet, max int) bool { s.src = p; return false }

// Next writes the next segment to dst.Buf at dst.Off.
func (s *Segmenter) Next(dst *Packet) bool { return false }

// Fragmenter cuts an IP packet into IP fragments. ID is the identification of
// the next IPv6 packet.
type Fragmenter struct{ ID uint32 }

// Init begins to cut p into fragments of at most mtu bytes.
func (f *Fragmenter) Init(p *Packet, mtu int) bool { return false }

// Next writes the next fragment to dst.Buf at dst.Off.
func (f *Fragmenter) Next(dst *Packet) bool { return false }

// Coalescer merges TCP segments of one flow into super-packets.
type Coalescer struct{ emit func(*Packet) }

// NewCoalescer makes a coalescer with one open flow per buffer.
func NewCoalescer(bufs [][]byte, headroom int, emit func(*Packet)) *Coalescer {
	return &Coalescer{emit: emit}
}

// Add takes a copy of p (true), or leaves it to the caller to send (false)
// after it emitted what was open of the flow.
func (c *Coalescer) Add(p *Packet) bool { return false }

// Flush emits everything that is open.
func (c *Coalescer) Flush() {}

// ReassemblerConfig sizes a Reassembler; zero values mean the defaults.
type ReassemblerConfig struct {
	Contexts int   // packets at once; 64
	Memory   int   // bytes of fragments held at once; 1 MB
	Lifetime int64 // nanoseconds from the first piece; 2 s
	MaxBytes int   // longest joined packet; 65535
}

// Reassembler joins pieces by key K, in memory fixed at construction.
type Reassembler[K comparable] struct{ cfg ReassemblerConfig }

// NewReassembler makes a reassembler with all its memory.
func NewReassembler[K comparable](cfg ReassemblerConfig) *Reassembler[K] {
	return &Reassembler[K]{cfg: cfg}
}

// Add copies a piece in. Once all are there it returns the whole, valid until
// the next call.
func (r *Reassembler[K]) Add(now int64, key K, offset int, more bool, b []byte) (complete []byte, done bool, err error) {
	return nil, false, nil
}

// IPReassembler joins IP fragments of both families.
type IPReassembler struct{}

// NewIPReassembler makes an IPReassembler with all its memory.
func NewIPReassembler(cfg ReassemblerConfig) *IPReassembler { return &IPReassembler{} }

// Add takes a copy of the KindFragment packet p. With the last missing piece it
// writes the whole packet, parsed, to dst.Buf at dst.Off and returns true.
// largest is the length of the longest fragment it came in.
func (r *IPReassembler) Add(now int64, p, dst *Packet) (done bool, largest int, err error) {
	return false, 0, nil
}

// ErrKind names an ICMP error independent of family.
type ErrKind uint8

// ICMP errors the data plane sends.
const (
	ErrTTL ErrKind = iota
	ErrTooBig
	ErrNoRoute
	ErrAdminProhibited
	ErrPortUnreachable
)

// BuildICMPError writes an ICMP error about a packet to dst.Buf at dst.Off.
func BuildICMPError(dst, about *Packet, kind ErrKind, mtu int, src [16]byte) bool { return false }

// Quote is what an ICMP error says about a packet that was sent.
type Quote struct {
	T          Tuple  // of the quoted packet, in the direction it was sent
	Type, Code uint8  // of the error
	MTU        int    // of a too-big error, else 0
	Seq        uint32 // TCP sequence number
	HasSeq     bool   // the quote reaches that far
	Off, L4    int    // offsets in Buf of the quoted IP header and L4 header
	Data, End  int    // offsets in Buf behind the quoted L4 header (at most End), and of the quote's end
	Length     int    // IP length of the quoted packet as its header says
}

// Quote reads the packet quoted by a KindICMPError.
func (p *Packet) Quote() (q Quote, ok bool) { return q, false }

// BuildICMPFromQuote writes the ICMP error in about, whose quote is q, anew to
// dst: from src to to (of family), about the tuple quoted.
func BuildICMPFromQuote(dst, about *Packet, q *Quote, src, to [16]byte, family uint8, quoted Tuple, mtu int) bool {
	return false
}

// BuildReset writes the RST that answers the segment about to dst.
func BuildReset(dst, about *Packet) bool { return false }

// Build writes a fresh packet of tuple t with n bytes of data, not cleared, to
// dst.Buf at dst.Off and returns these bytes; fill them, then Finish.
func Build(dst *Packet, t Tuple, ttl, tos uint8, n int) []byte { return nil }
