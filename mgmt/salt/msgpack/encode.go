package msgpack

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Encode appends the encoding of v to dst. A type that msgpack does not know,
// or nesting deeper than MaxDepth, is an error.
func Encode(dst []byte, v any) ([]byte, error) { return encode(dst, v, 0) }

// Marshal is Encode into a new slice.
func Marshal(v any) ([]byte, error) { return Encode(nil, v) }

func encode(dst []byte, v any, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("encode msgpack: %w", ErrDepth)
	}
	switch v := v.(type) {
	case []any:
		return encodeList(dst, len(v), func(i int) any { return v[i] }, depth)
	case []string:
		return encodeList(dst, len(v), func(i int) any { return v[i] }, depth)
	case Map:
		return encodeMap(dst, v, depth)
	}
	return encodeScalar(dst, v)
}

func encodeScalar(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, 0xc0), nil
	case bool:
		if v {
			return append(dst, 0xc3), nil
		}
		return append(dst, 0xc2), nil
	case int:
		return encodeInt(dst, int64(v)), nil
	case int64:
		return encodeInt(dst, v), nil
	case uint64:
		return encodeUint(dst, v), nil
	case float64:
		return encodeFloat(dst, v), nil
	case string:
		return append(encodeRawHead(dst, len(v)), v...), nil
	case []byte:
		return append(encodeRawHead(dst, len(v)), v...), nil
	case Ext:
		return encodeExt(dst, v), nil
	}
	return nil, fmt.Errorf("encode msgpack: no form for %T", v)
}

func encodeList(dst []byte, n int, at func(int) any, depth int) (_ []byte, err error) {
	dst = encodeHead(dst, n, 0x90, 0xdc, 0xdd)
	for i := range n {
		if dst, err = encode(dst, at(i), depth+1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func encodeMap(dst []byte, m Map, depth int) (_ []byte, err error) {
	dst = encodeHead(dst, len(m), 0x80, 0xde, 0xdf)
	for _, p := range m {
		if dst, err = encode(dst, p.Key, depth+1); err != nil {
			return nil, err
		}
		if dst, err = encode(dst, p.Value, depth+1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// encodeHead writes the head of a list or a map: up to 15, 16 bits, 32 bits.
func encodeHead(dst []byte, n int, fix, h16, h32 byte) []byte {
	switch {
	case n < 16:
		return append(dst, fix|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, h16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, h32), uint32(n))
}

// encodeRawHead never uses str8 or bin: Salt's packer does not.
func encodeRawHead(dst []byte, n int) []byte {
	switch {
	case n < 32:
		return append(dst, 0xa0|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
}

func encodeUint(dst []byte, n uint64) []byte {
	switch {
	case n < 128:
		return append(dst, byte(n))
	case n <= math.MaxUint8:
		return append(dst, 0xcc, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), n)
}

func encodeInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return encodeUint(dst, uint64(n))
	case n >= -32:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, 0xd0, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
}

// encodeFloat writes every NaN as Python's.
func encodeFloat(dst []byte, f float64) []byte {
	bits := math.Float64bits(f)
	if math.IsNaN(f) {
		bits = 0x7ff8 << 48
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), bits)
}

func encodeExt(dst []byte, e Ext) []byte {
	n := len(e.Data)
	switch {
	case n == 1, n == 2, n == 4, n == 8, n == 16:
		fix := map[int]byte{1: 0xd4, 2: 0xd5, 4: 0xd6, 8: 0xd7, 16: 0xd8}[n]
		dst = append(dst, fix)
	case n <= math.MaxUint8:
		dst = append(dst, 0xc7, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xc8), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xc9), uint32(n))
	}
	return append(append(dst, byte(e.Type)), e.Data...)
}
