package bundle

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Magic begins every bundle.
const Magic = "WMB1"

// Why a bundle cannot be read.
var (
	ErrNotBundle = errors.New("this is no bundle")
	ErrTooLong   = errors.New("the manifest is longer than allowed")
	ErrSignature = errors.New("the signature is not by a key that this box trusts")
	ErrTruncated = errors.New("the bundle ends too early")
	ErrHash      = errors.New("the file is not the one that was signed")
	ErrTrailing  = errors.New("something follows the last file")
)

// Reader hands out the files of a bundle one after another.
type Reader struct {
	Manifest *Manifest // signed and checked
	in       io.Reader
	next     int         // index of the file that Next hands out
	current  *fileReader // the one handed out last
}

// NewReader reads the head of a bundle from in. Nothing of the manifest is
// looked at before the signature by one of the keys has proven right.
func NewReader(in io.Reader, keys ...ed25519.PublicKey) (*Reader, error) {
	head := make([]byte, len(Magic)+4)
	if err := readFull(in, head); err != nil {
		return nil, err
	}
	if string(head[:len(Magic)]) != Magic {
		return nil, ErrNotBundle
	}
	n := binary.BigEndian.Uint32(head[len(Magic):])
	if n > MaxManifest {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, n, MaxManifest)
	}
	signed := append(head, make([]byte, n)...)
	if err := readFull(in, signed[len(head):]); err != nil {
		return nil, err
	}
	signature := make([]byte, ed25519.SignatureSize)
	if err := readFull(in, signature); err != nil {
		return nil, err
	}
	if !trusted(keys, signed, signature) {
		return nil, ErrSignature
	}
	m, err := parseManifest(signed[len(head):])
	if err != nil {
		return nil, err
	}
	return &Reader{Manifest: m, in: in}, nil
}

func trusted(keys []ed25519.PublicKey, signed, signature []byte) bool {
	for _, k := range keys {
		if len(k) == ed25519.PublicKeySize && ed25519.Verify(k, signed, signature) {
			return true
		}
	}
	return false
}

func readFull(in io.Reader, b []byte) error {
	if _, err := io.ReadFull(in, b); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	} else if err != nil {
		return fmt.Errorf("read bundle: %w", err)
	}
	return nil
}

// Next hands out the next file. Its reader ends with io.EOF only if size and
// hash are right, otherwise with ErrTruncated or ErrHash: who has read to io.EOF
// has the signed file. After the last file Next returns io.EOF, or ErrTrailing.
// What is left of the file before is read over and must be right as well.
func (r *Reader) Next() (File, io.Reader, error) {
	if r.current != nil {
		if _, err := io.Copy(io.Discard, r.current); err != nil {
			return File{}, nil, err
		}
	}
	if r.next == len(r.Manifest.Files) {
		return File{}, nil, r.end()
	}
	f := r.Manifest.Files[r.next]
	r.next++
	r.current = &fileReader{file: f, in: r.in, left: f.Size, sum: sha256.New()}
	return f, r.current, nil
}

// end expects that nothing follows.
func (r *Reader) end() error {
	var one [1]byte
	switch _, err := io.ReadFull(r.in, one[:]); {
	case err == nil:
		return ErrTrailing
	case errors.Is(err, io.EOF):
		return io.EOF
	default:
		return fmt.Errorf("read bundle: %w", err)
	}
}

// fileReader is one file of the stream.
type fileReader struct {
	file File
	in   io.Reader
	left int64 // bytes still to come
	sum  hash.Hash
	err  error // the end, once it was reached
}

// Read implements io.Reader.
func (f *fileReader) Read(b []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if f.left == 0 {
		f.err = f.verdict()
		return 0, f.err
	}
	n, err := f.in.Read(b[:min(int64(len(b)), f.left)])
	f.sum.Write(b[:n])
	f.left -= int64(n)
	switch {
	case err == nil, errors.Is(err, io.EOF) && f.left == 0:
		return n, nil
	case errors.Is(err, io.EOF):
		f.err = fmt.Errorf("%w: %d bytes of %s are missing", ErrTruncated, f.left, f.file.Name)
	default:
		f.err = fmt.Errorf("read bundle: %w", err)
	}
	return n, f.err
}

func (f *fileReader) verdict() error {
	if hex.EncodeToString(f.sum.Sum(nil)) != f.file.SHA256 {
		return fmt.Errorf("%w: %s", ErrHash, f.file.Name)
	}
	return io.EOF
}
