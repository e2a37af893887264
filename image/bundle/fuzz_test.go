package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"
)

// FuzzRead signs any manifest, so that everything behind the signature is
// reached, and reads the bundle: whatever is read to its end has the sizes and
// hashes of its manifest.
func FuzzRead(f *testing.F) {
	whole := build(f, testKey("ours"))
	n := int(whole[6])<<8 | int(whole[7])
	f.Add(whole[8:8+n], whole[8+n+64:])
	f.Fuzz(func(t *testing.T, text, rest []byte) {
		r, err := NewReader(bytes.NewReader(append(sign(testKey("ours"), text), rest...)), public(testKey("ours")))
		if err != nil {
			return
		}
		read := 0
		for {
			file, data, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return
			}
			got, err := io.ReadAll(data)
			if err != nil {
				return
			}
			sum := sha256.Sum256(got)
			if int64(len(got)) != file.Size || hex.EncodeToString(sum[:]) != file.SHA256 {
				t.Fatalf("%s: %d bytes, %x", file.Name, len(got), sum)
			}
			read += len(got)
		}
		if read != len(rest) {
			t.Fatalf("read %d of %d bytes to a good end", read, len(rest))
		}
	})
}

// FuzzHead reads what nobody signed: it never gets past the signature.
func FuzzHead(f *testing.F) {
	f.Add(build(f, testKey("theirs")))
	f.Add([]byte("WMB1\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if r, err := NewReader(bytes.NewReader(in), public(testKey("ours"))); err == nil {
			t.Fatalf("accepted %+v", r.Manifest)
		}
	})
}
