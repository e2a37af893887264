package fat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waymark/image/cut"
)

const volumeSize = 34 << 20 // little more than FAT32 needs

// fresh is a formatted volume on a fake disk.
func fresh(t testing.TB, size int64) (*cut.Disk, *Volume) {
	t.Helper()
	d := cut.New(size)
	must(t, Format(d, size, Formatting{Label: "WAYMARK", Serial: 0x1234, Hidden: 2048}))
	v, err := Open(d)
	must(t, err)
	must(t, v.Mkdir("EFI"))
	must(t, v.Mkdir("EFI/Linux"))
	return d, v
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// text is n bytes that say whose they are.
func text(who string, n int) []byte {
	return bytes.Repeat([]byte(who+"\n"), n/len(who)+1)[:n]
}

func put(t testing.TB, v *Volume, name string, data []byte) {
	t.Helper()
	must(t, v.Create(name, int64(len(data)), bytes.NewReader(data)))
}

func get(v *Volume, name string) ([]byte, error) {
	r, err := v.Open(name)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func names(t testing.TB, v *Volume, dir string) (list []string) {
	t.Helper()
	entries, err := v.List(dir)
	must(t, err)
	for _, e := range entries {
		list = append(list, e.Name)
	}
	slices.Sort(list)
	return list
}

// export writes the disk to a file for programs that know FAT from elsewhere.
func export(t testing.TB, d *cut.Disk) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "volume")
	f, err := os.Create(name)
	must(t, err)
	defer f.Close()
	_, err = io.Copy(f, io.NewSectionReader(d, 0, d.Size()))
	must(t, err)
	return name
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// fsck and mtools agree with what we write.
func TestOthersRead(t *testing.T) {
	for _, size := range []int64{volumeSize, 96 << 20, 300 << 20} {
		d, v := fresh(t, size)
		slot := text("slot a", 300_001)
		put(t, v, "EFI/Linux/waymark-000001-a.efi", slot)
		put(t, v, "EFI/Linux/waymark-000002-b+2.efi", text("slot b", 70_000))
		put(t, v, "EFI/Linux/EMPTY.TXT", nil)
		must(t, v.Mkdir("loader"))
		put(t, v, "loader/loader.conf", []byte("timeout 0\n"))
		must(t, v.Rename("EFI/Linux/waymark-000002-b+2.efi", "waymark-000002-b.efi"))
		must(t, v.Remove("EFI/Linux/EMPTY.TXT"))
		file := export(t, d)
		run(t, "fsck.vfat", "-n", "-V", file)
		if got := run(t, "mtype", "-i", file, "::/EFI/Linux/waymark-000001-a.efi"); got != string(slot) {
			t.Errorf("%d: mtype reads %d bytes that differ", size, len(got))
		}
		want := "::/EFI/Linux/waymark-000001-a.efi\n::/EFI/Linux/waymark-000002-b.efi\n"
		if got := run(t, "mdir", "-b", "-i", file, "::/EFI/Linux"); got != want {
			t.Errorf("%d: mdir:\n%s", size, got)
		}
	}
}

// We read what others write.
func TestReadOthers(t *testing.T) {
	dir := t.TempDir()
	file, content := filepath.Join(dir, "v"), filepath.Join(dir, "c")
	must(t, os.WriteFile(content, text("theirs", 123_456), 0o600))
	run(t, "truncate", "-s", "40M", file)
	run(t, "mkfs.vfat", "-F", "32", "-s", "1", file)
	run(t, "mmd", "-i", file, "::/EFI", "::/EFI/Linux")
	for i := range 40 { // more than one cluster of names
		run(t, "mcopy", "-i", file, content, fmt.Sprintf("::/EFI/Linux/some-longer-name-%02d.efi", i))
	}
	raw, err := os.ReadFile(file)
	must(t, err)
	d := cut.New(int64(len(raw)))
	_, err = d.WriteAt(raw, 0)
	must(t, err)
	v, err := Open(d)
	must(t, err)
	if n := len(names(t, v, "EFI/Linux")); n != 40 {
		t.Errorf("%d names", n)
	}
	got, err := get(v, "efi/linux/SOME-longer-name-39.efi")
	if want := text("theirs", 123_456); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n, err := v.Reclaim(); n != 0 || err != nil {
		t.Errorf("reclaimed %d of what is in use, %v", n, err)
	}
	for i := range 40 {
		must(t, v.Rename(fmt.Sprintf("EFI/Linux/some-longer-name-%02d.efi", i), fmt.Sprintf("a-name-that-is-very-much-longer-%02d.efi", i)))
	}
	for i := range 39 {
		must(t, v.Remove(fmt.Sprintf("EFI/Linux/a-name-that-is-very-much-longer-%02d.efi", i)))
	}
	run(t, "fsck.vfat", "-n", export(t, d))
}

// Two volumes made alike are alike.
func TestReproducible(t *testing.T) {
	a, va := fresh(t, volumeSize)
	b, vb := fresh(t, volumeSize)
	put(t, va, "EFI/Linux/x.efi", text("x", 5000))
	put(t, vb, "EFI/Linux/x.efi", text("x", 5000))
	fa, fb := export(t, a), export(t, b)
	run(t, "cmp", fa, fb)
}

func TestRefusals(t *testing.T) {
	_, v := fresh(t, volumeSize)
	put(t, v, "EFI/Linux/x.efi", text("x", 5000))
	for _, row := range []struct {
		name string
		err  error
		want error
	}{
		{"create twice", v.Create("EFI/Linux/X.EFI", 1, strings.NewReader("x")), ErrExists},
		{"no such directory", v.Create("EFI/None/x", 1, strings.NewReader("x")), ErrNotFound},
		{"file as directory", v.Create("EFI/Linux/x.efi/y", 1, strings.NewReader("x")), ErrNotFound},
		{"too large", v.Create("EFI/y", volumeSize, strings.NewReader("x")), ErrFull},
		{"far too large", v.Create("EFI/y", 1<<32-1, strings.NewReader("x")), ErrFull},
		{"data ends early", v.Create("EFI/y", 2, strings.NewReader("x")), io.ErrUnexpectedEOF},
		{"rename nothing", v.Rename("EFI/y", "z"), ErrNotFound},
		{"rename onto another", v.Rename("EFI/Linux/x.efi", "x.efi"), ErrExists},
		{"remove nothing", v.Remove("EFI/y"), ErrNotFound},
	} {
		if !errors.Is(row.err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, row.err, row.want)
		}
	}
	for name, err := range map[string]error{
		"data goes on": v.Create("EFI/y", 1, strings.NewReader("xx")), "a directory": v.Remove("EFI/Linux"),
		"long name":     v.Create("EFI/"+strings.Repeat("n", 101), 1, strings.NewReader("x")),
		"long new name": v.Rename("EFI/Linux/x.efi", strings.Repeat("n", 101)),
		"below zero":    v.Create("EFI/y", -1, strings.NewReader("x")),
		"too small":     Format(cut.New(1<<20), 1<<20, Formatting{}),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := names(t, v, "EFI"); !slices.Equal(got, []string{"Linux"}) {
		t.Errorf("refused files left %v", got)
	}
}

// many does what comes to mind with a dozen names and compares with a map.
func TestRandomUse(t *testing.T) {
	d, v := fresh(t, volumeSize)
	random := rand.New(rand.NewPCG(3, 4))
	want := map[string][]byte{}
	name := func() string {
		return fmt.Sprintf("f%0*d.efi", 1+random.IntN(30), random.IntN(6))
	}
	for i := range 400 {
		a, b := name(), name()
		switch _, has := want[a]; {
		case !has:
			want[a] = text(fmt.Sprintf("%s %d", a, i), random.IntN(9000))
			put(t, v, "EFI/Linux/"+a, want[a])
		case random.IntN(2) == 0 && want[b] == nil:
			must(t, v.Rename("EFI/Linux/"+a, b))
			want[b] = want[a]
			delete(want, a)
		default:
			must(t, v.Remove("EFI/Linux/"+a))
			delete(want, a)
		}
		if i%10 == 0 {
			v2, err := Open(d)
			must(t, err)
			v = v2
		}
	}
	for n, data := range want {
		if got, err := get(v, "EFI/Linux/"+n); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v; want %d", n, len(got), err, len(data))
		}
	}
	if got := names(t, v, "EFI/Linux"); len(got) != len(want) {
		t.Errorf("%v, want %d names", got, len(want))
	}
	run(t, "fsck.vfat", "-n", export(t, d))
}
