package gpt

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"waymark/image/cut"
)

const sectors = 64 << 11 // 64 MiB

func table() *Table {
	return &Table{
		Disk: MustParse("00112233-4455-4677-8899-aabbccddeeff"),
		Partitions: []Partition{
			{Type: ESP, ID: MustParse("10112233-4455-4677-8899-aabbccddeeff"), First: 2048, Last: 67583, Name: "waymark-esp"},
			{Type: Linux, ID: MustParse("20112233-4455-4677-8899-aabbccddeeff"), First: 67584, Last: 131037, Name: "waymark-data"},
		},
	}
}

// sgdisk reads and accepts what we write.
func TestOthersRead(t *testing.T) {
	d := cut.New(sectors * Sector)
	if err := table().Write(d, sectors); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, io.NewSectionReader(d, 0, d.Size())); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sgdisk", "-v", "-p", "-i", "2", name).CombinedOutput()
	for _, want := range []string{"No problems found", "00112233-4455-4677-8899-AABBCCDDEEFF", "waymark-esp", "EF00",
		"20112233-4455-4677-8899-AABBCCDDEEFF", "Last sector: 131037", "Partition name: 'waymark-data'"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v, want %q in\n%s", err, want, out)
		}
	}
}

func TestRead(t *testing.T) {
	d := cut.New(sectors * Sector)
	if _, err := Read(d, sectors); !errors.Is(err, ErrNoTable) {
		t.Errorf("empty disk: %v", err)
	}
	if err := table().Write(d, sectors); err != nil {
		t.Fatal(err)
	}
	for _, broken := range []int64{-1, 1, 2, 5, sectors - 1} { // sectors
		c := d.Clone()
		if broken >= 0 {
			if _, err := c.WriteAt(make([]byte, Sector), broken*Sector); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := Read(c, sectors); err != nil || !reflect.DeepEqual(got, table()) {
			t.Errorf("sector %d broken: %+v, %v", broken, got, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Table){
		"overlap":      func(t *Table) { t.Partitions[1].First = 67583 },
		"begins early": func(t *Table) { t.Partitions[0].First = 33 },
		"ends late":    func(t *Table) { t.Partitions[1].Last = sectors - 33 },
		"backwards":    func(t *Table) { t.Partitions[1].Last = 67583 },
		"long name":    func(t *Table) { t.Partitions[1].Name = strings.Repeat("n", 37) },
		"too many":     func(t *Table) { t.Partitions = make([]Partition, 129) },
	} {
		x := table()
		spoil(x)
		if err := x.Write(cut.New(sectors*Sector), sectors); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, text := range []string{"", "c12a7328", "c12a7328-f81f-11d2-ba4b-00a0c93ec93", "c12a7328f81f-11d2-ba4b-00a0-c93ec93b", "x12a7328-f81f-11d2-ba4b-00a0c93ec93b"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("GUID %q: no error", text)
		}
	}
	if got := ESP.String(); got != "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" {
		t.Errorf("ESP is %s", got)
	}
	if got := FromSeed([16]byte{}).String(); got != "00000000-0000-4000-8000-000000000000" {
		t.Errorf("seeded %s", got)
	}
}

// FuzzRead reads any header and table, with checksums that fit.
func FuzzRead(f *testing.F) {
	d := cut.New(sectors * Sector)
	if err := table().Write(d, sectors); err != nil {
		f.Fatal(err)
	}
	head := make([]byte, 1024)
	if _, err := d.ReadAt(head, Sector); err != nil {
		f.Fatal(err)
	}
	f.Add(head)
	f.Fuzz(func(t *testing.T, in []byte) {
		d := cut.New(sectors * Sector)
		padded := append(in, make([]byte, Sector-len(in)%Sector)...)
		fix(padded)
		if len(padded) > 1<<16 {
			return
		}
		if _, err := d.WriteAt(padded, Sector); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(d, sectors); err == nil {
			for _, p := range got.Partitions {
				if p.Size() <= 0 || p.Offset() <= 0 {
					t.Fatalf("%+v", p)
				}
			}
		}
	})
}
