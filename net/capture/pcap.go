package capture

import (
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// ErrFull: a file has as many bytes as it may have.
var ErrFull = errors.New("capture is full")

// Snap is how much of a frame is kept, in bytes.
const Snap = 2048

// Writer writes frames as libpcap does (Ethernet, nanoseconds), up to a size.
type Writer struct {
	w    io.Writer
	left int64
}

// NewWriter writes the header of a file of at most size bytes.
func NewWriter(w io.Writer, size int64) (*Writer, error) {
	h := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	h = binary.LittleEndian.AppendUint16(h, 2)
	h = binary.LittleEndian.AppendUint16(h, 4)
	h = append(h, make([]byte, 8)...) // offset and accuracy of times
	h = binary.LittleEndian.AppendUint32(h, Snap)
	h = binary.LittleEndian.AppendUint32(h, 1) // LINKTYPE_ETHERNET
	_, err := w.Write(h)
	return &Writer{w, size - int64(len(h))}, err
}

// Write appends one frame; whole is how long it was. ErrFull: there is no room,
// nothing is written.
func (w *Writer) Write(at time.Time, frame []byte, whole int) error {
	frame = frame[:min(len(frame), Snap)]
	if w.left -= int64(16 + len(frame)); w.left < 0 {
		return ErrFull
	}
	r := binary.LittleEndian.AppendUint32(make([]byte, 0, 16+len(frame)), uint32(at.Unix()))
	r = binary.LittleEndian.AppendUint32(r, uint32(at.Nanosecond()))
	r = binary.LittleEndian.AppendUint32(r, uint32(len(frame)))
	r = binary.LittleEndian.AppendUint32(r, uint32(whole))
	_, err := w.w.Write(append(r, frame...))
	return err
}
