package uplink

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Errors of frames.
var (
	ErrTooLong = errors.New("frame is too long")
	ErrEmpty   = errors.New("frame without a kind")
	ErrKind    = errors.New("unexpected kind of frame")
	ErrContent = errors.New("wrong content of a frame")
)

// headLen is the length of a frame's length.
const headLen = 4

// frameStep bounds what a length alone makes a reader set aside.
const frameStep = 16 << 10

// Frame is one frame as it came: the kind and its JSON.
type Frame struct {
	Kind Kind
	Body []byte
}

// ReadFrame reads one frame of at most limit bytes (kind and JSON). io.EOF:
// the stream ended before it.
func ReadFrame(r io.Reader, limit int) (Frame, error) {
	var head [headLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Frame{}, err
	}
	n := binary.BigEndian.Uint32(head[:])
	switch {
	case n == 0:
		return Frame{}, ErrEmpty
	case uint64(n) > uint64(limit):
		return Frame{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, n, limit)
	}
	// Memory grows with what comes, not with what is announced.
	body := make([]byte, 0, min(int(n), frameStep))
	for len(body) < int(n) {
		step := min(int(n)-len(body), max(frameStep, len(body)))
		body = append(body, make([]byte, step)...)
		if _, err := io.ReadFull(r, body[len(body)-step:]); err != nil {
			return Frame{}, noEOF(err)
		}
	}
	return Frame{Kind: Kind(body[0]), Body: body[1:]}, nil
}

// noEOF: an end within a frame is not an end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// AppendFrame appends a frame with message m, which must be one of this
// package. ErrTooLong: it has more than limit bytes; ErrContent: the other side
// would not take it.
func AppendFrame(dst []byte, m Message, limit int) ([]byte, error) {
	if err := m.check(); err != nil {
		return dst, fmt.Errorf("write frame: %w: kind %d: %w", ErrContent, m.Kind(), err)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return dst, fmt.Errorf("write frame: %w", err)
	}
	n := len(body) + 1
	if n > limit {
		return dst, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, n, limit)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(n))
	dst = append(dst, byte(m.Kind()))
	return append(dst, body...), nil
}

// WriteFrame writes one frame by one call of Write.
func WriteFrame(w io.Writer, m Message, limit int) error {
	b, err := AppendFrame(nil, m, limit)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// Message is what a frame holds.
type Message interface {
	Kind() Kind
	// check says what is wrong with a message from outside.
	check() error
}

// Decode reads the message of a frame, checks its bounds and returns a pointer
// to its type. ErrKind: it is not a kind of this version.
func (f Frame) Decode() (Message, error) {
	m := empty(f.Kind)
	if m == nil {
		return nil, fmt.Errorf("%w: %d", ErrKind, f.Kind)
	}
	return m, f.into(m)
}

// Into decodes the frame into m. ErrKind: it holds another message; one that
// holds Refused returns it as *Refused, which is an error.
func (f Frame) Into(m Message) error {
	if f.Kind == KindRefused && m.Kind() != KindRefused {
		r := &Refused{}
		if err := f.into(r); err != nil {
			return err
		}
		return r
	}
	if f.Kind != m.Kind() {
		return fmt.Errorf("%w: %d instead of %d", ErrKind, f.Kind, m.Kind())
	}
	return f.into(m)
}

func (f Frame) into(m Message) error {
	if err := json.Unmarshal(f.Body, m); err != nil {
		return fmt.Errorf("%w: kind %d: %w", ErrContent, f.Kind, err)
	}
	if err := m.check(); err != nil {
		return fmt.Errorf("%w: kind %d: %w", ErrContent, f.Kind, err)
	}
	return nil
}

// Error makes Refused the error of who asked.
func (r *Refused) Error() string { return "refused: " + r.Reason }

// empty returns a fresh message of a kind; nil for an unknown one.
func empty(k Kind) Message {
	switch k {
	case KindHello:
		return &Hello{}
	case KindWelcome:
		return &Welcome{}
	case KindDone:
		return &Done{}
	case KindRefused:
		return &Refused{}
	case KindConfig:
		return &Config{}
	case KindConfigState:
		return &ConfigState{}
	case KindBook:
		return &Book{}
	case KindPosition:
		return &Position{}
	case KindEvents:
		return &Events{}
	case KindAddresses:
		return &Addresses{}
	case KindEntitlement:
		return &Entitlement{}
	case KindLogRequest:
		return &LogRequest{}
	case KindLogList:
		return &LogList{}
	case KindLogHeader:
		return &LogHeader{}
	}
	return nil
}

// Reason is an error as the other side is told it: one line, not long.
func Reason(err error) string {
	out := []rune(strings.ToValidUTF8(err.Error(), "?"))
	for i, r := range out {
		if unicode.IsControl(r) {
			out[i] = ' '
		}
	}
	return string(out[:min(len(out), MaxText/4)])
}
