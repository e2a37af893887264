package uki

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// stub is systemd's, as the package systemd-boot-efi installs it.
func stub(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sections() []Section {
	return []Section{
		{".osrel", []byte("PRETTY_NAME=x\n")}, {".cmdline", []byte("quiet")}, {".uname", []byte("6.12")},
		{".initrd", bytes.Repeat([]byte("i"), 70_001)}, {".linux", bytes.Repeat([]byte("k"), 33_333)},
	}
}

func TestBuild(t *testing.T) {
	b, err := Build(stub(t), sections()...)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Build(stub(t), sections()...)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("two builds differ, %v", err)
	}
	parts, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sections() {
		if !bytes.Equal(parts[s.Name], s.Data) {
			t.Errorf("%s: %d bytes, want %d", s.Name, len(parts[s.Name]), len(s.Data))
		}
	}
	before, _ := Read(stub(t))
	if !bytes.Equal(parts[".text"], before[".text"]) || len(parts[".sdmagic"]) == 0 {
		t.Error("the stub is not what it was")
	}
}

// objdump and objcopy read our sections, and no two of them overlap.
func TestOthersRead(t *testing.T) {
	b, err := Build(stub(t), sections()...)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "x.efi")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range sections() {
		out, err := exec.Command("objcopy", "--dump-section", s.Name+"="+file+".part", file, file+".copy").CombinedOutput()
		if err != nil {
			t.Fatalf("objcopy %s: %v\n%s", s.Name, err, out)
		}
		got, err := os.ReadFile(file + ".part")
		if err != nil || !bytes.HasPrefix(got, s.Data) || strings.Trim(string(got[len(s.Data):]), "\x00") != "" {
			t.Errorf("%s: objcopy reads %d bytes, %v", s.Name, len(got), err)
		}
	}
	end := uint32(0)
	i, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for k := range i.count {
		h := b[i.sections+k*sectionHeader:]
		if at := le.Uint32(h[12:]); at < end || k >= i.count-len(sections()) && at%i.align != 0 {
			t.Errorf("section %d at %#x, the one before ends at %#x", k, at, end)
		}
		end = le.Uint32(h[12:]) + le.Uint32(h[8:])
	}
	if size := le.Uint32(b[i.optional+56:]); size < end {
		t.Errorf("image of %#x bytes, last section ends at %#x", size, end)
	}
}

func TestRefused(t *testing.T) {
	whole := stub(t)
	for name, b := range map[string][]byte{
		"nothing": nil, "text": []byte("no program"), "cut": whole[:3000], "half a header": whole[:70],
	} {
		if _, err := Build(b, sections()...); !errors.Is(err, ErrStub) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]Section{"long name": {".longname", []byte("x")}, "no data": {".linux", nil}} {
		if _, err := Build(whole, s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Build(whole, append(sections(), append(sections(), sections()...)...)...); !errors.Is(err, ErrStub) {
		t.Errorf("too many sections: %v", err)
	}
}

// FuzzBuild takes any stub: an error or an image with our sections, no panic.
func FuzzBuild(f *testing.F) {
	f.Add(stub(f)[:4096])
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if b, err := Build(in, Section{".linux", []byte("kernel")}); err == nil {
			if parts, err := Read(b); err != nil || string(parts[".linux"]) != "kernel" && bytes.Count(b, []byte(".linux")) < 2 {
				t.Fatalf("%v, %q", err, parts[".linux"])
			}
		}
	})
}
