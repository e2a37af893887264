package bundle

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// testKey is made from a seed that says who it is.
func testKey(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func manifest() *Manifest {
	return &Manifest{Board: "qemu-x86_64", Version: "1.2.0", Counter: 7, TrialSeconds: 600}
}

// build makes a bundle of two small files.
func build(t testing.TB, key ed25519.PrivateKey) []byte {
	t.Helper()
	var b bytes.Buffer
	err := Write(&b, key, manifest(),
		Content{"slot.efi", strings.NewReader("the slot")}, Content{"notes.txt", strings.NewReader("read me")})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readAll reads a bundle to its end.
func readAll(in io.Reader, keys ...ed25519.PublicKey) (files []string, err error) {
	r, err := NewReader(in, keys...)
	if err != nil {
		return nil, err
	}
	for {
		f, data, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		} else if err != nil {
			return files, err
		}
		text, err := io.ReadAll(data)
		if err != nil {
			return files, err
		}
		files = append(files, f.Name+"="+string(text))
	}
}

// golden is the head of a bundle as the format is written down, byte for byte.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.hex")
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	got := build(t, testKey("golden"))
	if !bytes.Equal(got, want) {
		t.Errorf("bundle:\n%x\nwant\n%x", got, want)
	}
	// The layout, told without the package's own reader.
	n := int(want[4])<<24 | int(want[5])<<16 | int(want[6])<<8 | int(want[7])
	var m Manifest
	if err := json.Unmarshal(want[8:8+n], &m); err != nil || m.Counter != 7 || len(m.Files) != 2 {
		t.Errorf("manifest %+v, %v", m, err)
	}
	if !ed25519.Verify(public(testKey("golden")), want[:8+n], want[8+n:8+n+64]) {
		t.Error("the signature does not cover all bytes before it")
	}
	if string(want[8+n+64:]) != "the slotread me" {
		t.Errorf("files: %q", want[8+n+64:])
	}
}

func TestRead(t *testing.T) {
	key := testKey("ours")
	whole := build(t, key)
	for name, in := range map[string]io.Reader{
		"at once": bytes.NewReader(whole), "byte by byte": iotest.OneByteReader(bytes.NewReader(whole)),
		"end with data": iotest.DataErrReader(bytes.NewReader(whole)),
	} {
		files, err := readAll(in, public(testKey("another")), public(key))
		if err != nil || strings.Join(files, " ") != "slot.efi=the slot notes.txt=read me" {
			t.Errorf("%s: %q, %v", name, files, err)
		}
	}
	broken := errors.New("cable pulled")
	for at := range whole {
		in := io.MultiReader(bytes.NewReader(whole[:at]), iotest.ErrReader(broken))
		if _, err := readAll(in, public(key)); !errors.Is(err, broken) {
			t.Fatalf("source fails at %d: %v", at, err)
		}
	}
}

// A file that nobody read is checked all the same.
func TestUnreadFileIsChecked(t *testing.T) {
	whole := build(t, testKey("ours"))
	at := bytes.Index(whole, []byte("the slot"))
	whole[at] ^= 1
	r, err := NewReader(bytes.NewReader(whole), public(testKey("ours")))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Next(); !errors.Is(err, ErrHash) {
		t.Errorf("got %v, want %v", err, ErrHash)
	}
}

func TestDamage(t *testing.T) {
	key := testKey("ours")
	whole := build(t, key)
	for bit := range len(whole) * 8 {
		b := bytes.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		if files, err := readAll(bytes.NewReader(b), public(key)); err == nil {
			t.Fatalf("bit %d flipped: read %q", bit, files)
		}
	}
	for n := range whole {
		if _, err := readAll(bytes.NewReader(whole[:n]), public(key)); !errors.Is(err, ErrTruncated) {
			t.Fatalf("cut at %d: %v, want %v", n, err, ErrTruncated)
		}
	}
	if _, err := readAll(bytes.NewReader(append(whole, 0)), public(key)); !errors.Is(err, ErrTrailing) {
		t.Errorf("one byte more: %v, want %v", err, ErrTrailing)
	}
}

// signedText is a bundle whose manifest is any text, properly signed.
func signedText(text string) []byte {
	return append(sign(testKey("ours"), []byte(text)), "the slot"...)
}

const goodFile = `{"name":"slot.efi","size":8,"sha256":"63c5f9f4a8c5d4d9ab9ad4a4cbb6f3a6fdbd1a1b7d2b1d0e0c7f0e7b5b6c0d11"}`

func TestRefusedManifests(t *testing.T) {
	good := `{"board":"b","version":"1","counter":1,"trial-seconds":60,"files":[` + goodFile + `]}`
	if _, err := NewReader(bytes.NewReader(signedText(good)), public(testKey("ours"))); err != nil {
		t.Fatalf("the row all others are made from: %v", err)
	}
	file := func(name string) string { return strings.Replace(good, "slot.efi", name, 1) }
	for _, row := range []struct{ name, text, want string }{
		{"no JSON", `board=b`, "invalid character"},
		{"empty", ``, "EOF"},
		{"two objects", good + good, "something follows"},
		{"unknown field", strings.Replace(good, `"counter"`, `"only-if":1,"counter"`, 1), `unknown field "only-if"`},
		{"counter below zero", strings.Replace(good, `"counter":1`, `"counter":-1`, 1), "counter"},
		{"counter beyond 64 bits", strings.Replace(good, `"counter":1`, `"counter":18446744073709551616`, 1), "counter"},
		{"no board", strings.Replace(good, `"b"`, `""`, 1), "is no name"},
		{"version with a line end", strings.Replace(good, `"version":"1"`, `"version":"1\n2"`, 1), "is no version"},
		{"trial too short", strings.Replace(good, `:60`, `:0`, 1), "trial-seconds 0"},
		{"trial too long", strings.Replace(good, `:60`, `:86401`, 1), "trial-seconds 86401"},
		{"no files", strings.Replace(good, goodFile, ``, 1), "0 files"},
		{"too many files", strings.Replace(good, goodFile, strings.Repeat(goodFile+",", 16)+goodFile, 1), "17 files"},
		{"the same name twice", strings.Replace(good, goodFile, goodFile+","+goodFile, 1), "two files are called"},
		{"path upwards", file("../slot.efi"), "is no name of a file"},
		{"path", file("efi/slot.efi"), "is no name of a file"},
		{"path from the root", file("/etc/passwd"), "is no name of a file"},
		{"path of Windows", file(`c:\\slot.efi`), "is no name of a file"},
		{"dots", file(".."), "is no name of a file"},
		{"hidden", file(".slot"), "is no name of a file"},
		{"NUL", file(`slot\u0000.efi`), "is no name of a file"},
		{"letters that only look alike", file("ѕlot.efi"), "is no name of a file"},
		{"long name", file(strings.Repeat("a", 300)), "is no name of a file"},
		{"empty file", strings.Replace(good, `"size":8`, `"size":0`, 1), "0 bytes"},
		{"size below zero", strings.Replace(good, `"size":8`, `"size":-8`, 1), "-8 bytes"},
		{"size beyond the bound", strings.Replace(good, `"size":8`, `"size":536870913`, 1), "536870913 bytes"},
		{"hash too short", strings.Replace(good, `63c5`, ``, 1), "64 lower-case"},
		{"hash in capitals", strings.Replace(good, `63c5`, `63C5`, 1), "64 lower-case"},
		{"other hash", good, "not the one that was signed"},
	} {
		_, err := readAll(bytes.NewReader(signedText(row.text)), public(testKey("ours")))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
		if row.name != "other hash" && !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v is not %v", row.name, err, ErrManifest)
		}
	}
}

func TestRefusedHeads(t *testing.T) {
	whole := build(t, testKey("ours"))
	long := bytes.Clone(whole)
	copy(long[4:], "\x00\x01\x00\x01")
	for _, row := range []struct {
		name string
		in   []byte
		key  string
		want error
	}{
		{"wrong key", whole, "theirs", ErrSignature},
		{"an ELF file", append([]byte("\x7fELF"), whole[4:]...), "ours", ErrNotBundle},
		{"next format", append([]byte("WMB2"), whole[4:]...), "ours", ErrNotBundle},
		{"oversized manifest", long, "ours", ErrTooLong},
		{"nothing", nil, "ours", ErrTruncated},
	} {
		if _, err := readAll(bytes.NewReader(row.in), public(testKey(row.key))); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
	if _, err := NewReader(bytes.NewReader(whole)); !errors.Is(err, ErrSignature) {
		t.Errorf("a box without keys: %v", err)
	}
	if _, err := NewReader(bytes.NewReader(whole), nil, ed25519.PublicKey("short")); !errors.Is(err, ErrSignature) {
		t.Errorf("a box with broken keys: %v", err)
	}
}

func TestAccept(t *testing.T) {
	box := Box{Board: "qemu-x86_64", Floor: 7, RefusedVersion: "1.3.0", RefusedCounter: 8, RefusedReason: "no WAN"}
	for _, row := range []struct {
		board, version string
		counter        uint64
		want           error
	}{
		{"qemu-x86_64", "1.2.0", 7, nil}, // the same again
		{"qemu-x86_64", "1.2.1", 8, nil},
		{"qemu-arm64", "1.2.1", 8, ErrBoard},
		{"qemu-x86_64", "1.1.0", 6, ErrOlder},
		{"qemu-x86_64", "1.3.0", 8, ErrRefused},
		{"qemu-x86_64", "1.3.0", 7, ErrRefused},
		{"qemu-x86_64", "1.3.0", 9, nil}, // built anew
	} {
		err := box.Accept(&Manifest{Board: row.board, Version: row.version, Counter: row.counter})
		if !errors.Is(err, row.want) {
			t.Errorf("%s %s %d: %v, want %v", row.board, row.version, row.counter, err, row.want)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	key := testKey("ours")
	m := manifest()
	if err := Write(io.Discard, key, m); !errors.Is(err, ErrManifest) {
		t.Errorf("no files: %v", err)
	}
	if err := Write(io.Discard, key, m, Content{"../x", strings.NewReader("x")}); !errors.Is(err, ErrManifest) {
		t.Errorf("path: %v", err)
	}
	if err := Write(io.Discard, key, m, Content{"x", &growing{}}); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("growing file: %v", err)
	}
}

// growing has one more byte each time it is read from the start.
type growing struct{ size, at int }

func (g *growing) Read(b []byte) (int, error) {
	if g.at > g.size {
		return 0, io.EOF
	}
	g.at++
	return copy(b[:1], "x"), nil
}

func (g *growing) Seek(int64, int) (int64, error) { g.size++; g.at = 0; return 0, nil }

func TestKeys(t *testing.T) {
	text, err := FormatKey(testKey("ours"))
	if err != nil {
		t.Fatal(err)
	}
	if k, err := ParseKey(text); err != nil || !k.Equal(testKey("ours")) {
		t.Errorf("key does not come back: %v", err)
	}
	for name, bad := range map[string]string{
		"empty": "", "no PEM": "ours", "rubbish": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		if _, err := ParseKey([]byte(bad)); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
