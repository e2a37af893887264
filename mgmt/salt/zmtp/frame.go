// Package zmtp speaks ZMTP 3.x with the NULL mechanism, as much of ZeroMQ as
// Salt uses: REQ to ROUTER and SUB to PUB. Source: ZeroMQ RFC 23 and 37, and
// recordings of libzmq 4.3.4 in mgmt/salt/testdata.
//
// A frame is a flag byte, a length (one byte, or eight big-endian bytes), and a
// body; a message is one or more frames.
package zmtp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bits of the flag byte.
const (
	flagMore    = 1
	flagLong    = 2
	flagCommand = 4
)

const (
	maxCommand = 1024 // bytes of a command's body; READY is the longest
	maxParts   = 8    // frames of a message; Salt's have one or two
	growth     = 64 << 10
)

// Errors of what a peer sent.
var (
	ErrTooLarge = errors.New("frame larger than allowed")
	ErrFrame    = errors.New("malformed frame")
	ErrGreeting = errors.New("no ZMTP 3 peer with mechanism NULL")
	ErrSocket   = errors.New("peer's socket type does not fit")
)

// appendFrame appends one frame. libzmq uses the short length up to 255 bytes.
func appendFrame(dst []byte, flags byte, body []byte) []byte {
	if len(body) <= 255 {
		dst = append(dst, flags, byte(len(body)))
	} else {
		dst = binary.BigEndian.AppendUint64(append(dst, flags|flagLong), uint64(len(body)))
	}
	return append(dst, body...)
}

// readHead reads flags and length of a frame and checks both against max.
func readHead(r io.Reader, max int) (flags byte, size int, err error) {
	var b [9]byte
	if _, err := io.ReadFull(r, b[:2]); err != nil {
		return 0, 0, err
	}
	flags, n := b[0], uint64(b[1])
	if flags&flagLong != 0 {
		if _, err := io.ReadFull(r, b[2:]); err != nil {
			return 0, 0, noEOF(err)
		}
		n = binary.BigEndian.Uint64(b[1:])
	}
	switch {
	case flags&^(flagMore|flagLong|flagCommand) != 0, flags&flagCommand != 0 && flags&flagMore != 0:
		return 0, 0, fmt.Errorf("%w: flags %#x", ErrFrame, flags)
	case flags&flagCommand != 0:
		max = min(max, maxCommand)
	}
	if n > uint64(max) {
		return 0, 0, fmt.Errorf("%w: %d bytes", ErrTooLarge, n)
	}
	return flags, int(n), nil
}

// readBody reads size bytes; memory grows with what came, not with what was
// announced.
func readBody(r io.Reader, size int) ([]byte, error) {
	body := make([]byte, 0, min(size, growth))
	for len(body) < size {
		n := min(size-len(body), max(growth, len(body)))
		body = append(body, make([]byte, n)...)
		if _, err := io.ReadFull(r, body[len(body)-n:]); err != nil {
			return nil, noEOF(err)
		}
	}
	return body, nil
}

// noEOF: the end within a frame is not an orderly end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// command is a named command with its data.
func command(name string, data []byte) []byte {
	return append(append([]byte{byte(len(name))}, name...), data...)
}

func parseCommand(body []byte) (name string, data []byte, err error) {
	if len(body) == 0 || int(body[0]) > len(body)-1 || body[0] == 0 {
		return "", nil, fmt.Errorf("%w: command without name", ErrFrame)
	}
	n := 1 + int(body[0])
	return string(body[1:n]), body[n:], nil
}

// property appends one property of READY.
func property(dst []byte, name, value string) []byte {
	dst = append(append(dst, byte(len(name))), name...)
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(value))), value...)
}

func parseProperties(data []byte) (map[string]string, error) {
	out := map[string]string{}
	for len(data) > 0 {
		n := int(data[0])
		if n == 0 || len(data) < 1+n+4 {
			return nil, fmt.Errorf("%w: cut property", ErrFrame)
		}
		name, rest := string(data[1:1+n]), data[1+n:]
		size := binary.BigEndian.Uint32(rest)
		if uint64(size) > uint64(len(rest)-4) {
			return nil, fmt.Errorf("%w: property %q larger than command", ErrFrame, name)
		}
		out[name], data = string(rest[4:4+size]), rest[4+size:]
	}
	return out, nil
}
