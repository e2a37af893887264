package uplink

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// Pack compresses an authority file for Config.Packed.
func Pack(authority []byte) ([]byte, error) {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // a level that exists
	if _, err := z.Write(authority); err != nil {
		return nil, fmt.Errorf("pack configuration: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack configuration: %w", err)
	}
	if b.Len() > MaxConfig/4*3-MaxText { // base64 in the frame
		return nil, fmt.Errorf("pack configuration: %w: %d bytes compressed", ErrTooLong, b.Len())
	}
	return b.Bytes(), nil
}

// Unpack undoes Pack, for at most MaxUnpacked bytes.
func Unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack configuration: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(z, MaxUnpacked+1))
	if err != nil {
		return nil, fmt.Errorf("unpack configuration: %w", err)
	}
	if len(data) > MaxUnpacked {
		return nil, fmt.Errorf("unpack configuration: %w", ErrTooLong)
	}
	return data, nil
}

// Digest names an authority file by what it says: SHA-256 in hexadecimal over
// its JSON without blanks and with sorted names.
func Digest(authority []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(authority))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", fmt.Errorf("name configuration: %w", err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("name configuration: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
