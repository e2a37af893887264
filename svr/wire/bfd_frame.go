package wire

// Form tells the shapes of a UDP payload on the BFD port apart.
type Form uint8

// The forms.
const (
	FormPlain  Form = iota // RFC 5880 alone: a standard neighbour
	FormFull               // with a payload section that holds TLV 0x8002
	FormSteady             // with TLV 0x8003 in the header section
)

// String names the form.
func (f Form) String() string {
	switch f {
	case FormPlain:
		return "plain"
	case FormFull:
		return "full"
	case FormSteady:
		return "steady"
	}
	return "unknown"
}

// Frame is a UDP payload of BFD, taken apart. Slices alias the input.
type Frame struct {
	BFD    BFD
	Form   Form
	Header Header // metadata header, zero in a plain frame
	// Section is the payload section as on the wire; after decryption
	// ParsePayload and ParseMessage read it. Empty unless the form is full.
	Section []byte
	// Padding is what lies between the metadata and the digest (MTU probes).
	Padding []byte
	// Signed is everything before the digest. The HMAC covers it and, in the
	// steady form, the epochs of sender and receiver behind it.
	Signed, Digest []byte
}

// ParseFrame takes the UDP payload b apart. It verifies no digest. Every error
// is ErrBFD or one of ParseHeader's; f is of no use then.
func ParseFrame(b []byte, f *Frame) error {
	*f = Frame{}
	n, err := ParseBFD(b, &f.BFD)
	if err != nil {
		return err
	}
	if n == len(b) {
		return nil
	}
	if len(b) < n+HeaderSize+BFDDigest {
		return ErrBFD
	}
	cut := len(b) - BFDDigest
	f.Signed, f.Digest = b[:cut:cut], b[cut:]
	if err := ParseHeader(f.Signed[n:], &f.Header); err != nil {
		return err
	}
	start := n + f.Header.Len
	end := start + f.Header.PayloadLen
	f.Section, f.Padding = f.Signed[start:end:end], f.Signed[end:]
	return f.setForm()
}

func (f *Frame) setForm() error {
	steady := f.Header.Has.Has(TypeBFDSteady)
	if steady == (f.Header.PayloadLen > 0) {
		return ErrBFD
	}
	f.Form = FormFull
	if steady {
		f.Form = FormSteady
	}
	return nil
}

// AppendSteady appends a frame of the steady form up to its digest.
func AppendSteady(dst []byte, p *BFD, s Steady) []byte {
	var h Header
	h.SetSteady(s)
	return AppendHeader(AppendBFD(dst, p), &h)
}

// AppendFull appends a frame of the full form up to its digest. section is the
// payload section as it goes out, encrypted or not, 1 to MaxPayloadLen bytes.
func AppendFull(dst []byte, p *BFD, section []byte) []byte {
	h := Header{PayloadLen: len(section)}
	return append(AppendHeader(AppendBFD(dst, p), &h), section...)
}
