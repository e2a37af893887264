package msgpack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Bounds of what Decode accepts. Beside the bytes of its strings a value needs
// at most about 64 bytes for each node, so MaxNodes bounds memory.
const (
	MaxDepth = 64
	MaxNodes = 1 << 17
)

// Errors of Decode.
var (
	ErrShort    = errors.New("input ends early")
	ErrTrailing = errors.New("bytes behind the value")
	ErrDepth    = errors.New("nested too deep")
	ErrNodes    = errors.New("too many values")
	ErrType     = errors.New("unknown type")
)

type decoder struct {
	in    []byte
	nodes int // how many more values lists and maps may claim
}

// Decode reads one value that fills in. What it returns shares no memory with in.
func Decode(in []byte) (any, error) {
	d := decoder{in, MaxNodes}
	v, err := d.value(0)
	if err == nil && len(d.in) > 0 {
		err = ErrTrailing
	}
	if err != nil {
		return nil, fmt.Errorf("decode msgpack: %w", err)
	}
	return v, nil
}

// DecodeMap is Decode of what must be a map.
func DecodeMap(in []byte) (Map, error) {
	v, err := Decode(in)
	if err != nil {
		return nil, err
	}
	m, ok := v.(Map)
	if !ok {
		return nil, fmt.Errorf("decode msgpack: %T where a map must be", v)
	}
	return m, nil
}

func (d *decoder) take(n uint64) ([]byte, error) {
	if n > uint64(len(d.in)) {
		return nil, ErrShort
	}
	out := d.in[:n]
	d.in = d.in[n:]
	return out, nil
}

// number reads an unsigned big-endian number of 1, 2, 4 or 8 bytes.
func (d *decoder) number(size int) (uint64, error) {
	b, err := d.take(uint64(size))
	if err != nil {
		return 0, err
	}
	var full [8]byte
	copy(full[8-size:], b)
	return binary.BigEndian.Uint64(full[:]), nil
}

func (d *decoder) value(depth int) (any, error) {
	if depth > MaxDepth {
		return nil, ErrDepth
	}
	head, err := d.take(1)
	if err != nil {
		return nil, err
	}
	c := head[0]
	switch {
	case c < 0x80, c >= 0xe0:
		return int64(int8(c)), nil
	case c < 0x90:
		return d.mapOf(uint64(c&15), depth)
	case c < 0xa0:
		return d.list(uint64(c&15), depth)
	case c < 0xc0:
		return d.text(uint64(c & 31))
	}
	return d.long(c, depth)
}

// long reads what has a head of its own byte: 0xc0 to 0xdf.
func (d *decoder) long(c byte, depth int) (any, error) {
	switch {
	case c == 0xc0:
		return nil, nil
	case c == 0xc2, c == 0xc3:
		return c == 0xc3, nil
	case c == 0xca, c == 0xcb:
		return d.float(c)
	case c >= 0xcc && c <= 0xcf:
		return d.unsigned(1 << (c - 0xcc))
	case c >= 0xd0 && c <= 0xd3:
		return d.signed(1 << (c - 0xd0))
	case c >= 0xd4 && c <= 0xd8:
		return d.ext(1 << (c - 0xd4))
	}
	return d.counted(c, depth)
}

// counted reads what has its length or number of elements in front.
func (d *decoder) counted(c byte, depth int) (any, error) {
	size := map[byte]int{
		0xc4: 1, 0xc5: 2, 0xc6: 4, 0xc7: 1, 0xc8: 2, 0xc9: 4,
		0xd9: 1, 0xda: 2, 0xdb: 4, 0xdc: 2, 0xdd: 4, 0xde: 2, 0xdf: 4,
	}[c]
	if size == 0 {
		return nil, ErrType
	}
	n, err := d.number(size)
	if err != nil {
		return nil, err
	}
	switch {
	case c >= 0xc7 && c <= 0xc9:
		return d.ext(n)
	case c == 0xdc, c == 0xdd:
		return d.list(n, depth)
	case c >= 0xde:
		return d.mapOf(n, depth)
	}
	return d.text(n)
}

func (d *decoder) text(n uint64) (any, error) {
	b, err := d.take(n)
	return string(b), err
}

func (d *decoder) float(c byte) (any, error) {
	if c == 0xca {
		n, err := d.number(4)
		return float64(math.Float32frombits(uint32(n))), err
	}
	n, err := d.number(8)
	return math.Float64frombits(n), err
}

func (d *decoder) unsigned(size int) (any, error) {
	n, err := d.number(size)
	if n > math.MaxInt64 {
		return n, err
	}
	return int64(n), err
}

func (d *decoder) signed(size int) (any, error) {
	n, err := d.number(size)
	shift := 64 - 8*size
	return int64(n<<shift) >> shift, err
}

func (d *decoder) ext(n uint64) (any, error) {
	kind, err := d.take(1)
	if err != nil {
		return nil, err
	}
	data, err := d.take(n)
	return Ext{int8(kind[0]), string(data)}, err
}

// claim refuses a count that the rest of the input, at least one byte for each
// value, or the budget cannot hold, and pays for it before anything is allocated.
func (d *decoder) claim(values uint64) error {
	if values > uint64(len(d.in)) {
		return ErrShort
	}
	if values > uint64(d.nodes) {
		return ErrNodes
	}
	d.nodes -= int(values)
	return nil
}

func (d *decoder) list(n uint64, depth int) (any, error) {
	if err := d.claim(n); err != nil {
		return nil, err
	}
	out := make([]any, 0, n)
	for range n {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (d *decoder) mapOf(n uint64, depth int) (any, error) {
	if err := d.claim(2 * n); err != nil {
		return nil, err
	}
	out := make(Map, 0, n)
	for range n {
		k, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, Pair{k, v})
	}
	return out, nil
}
