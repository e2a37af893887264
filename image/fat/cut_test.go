package fat

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"waymark/image/cut"
)

// change is an operation and what may be seen after a cut during it.
type change struct {
	name  string
	setup func(t *testing.T, v *Volume)
	do    func(v *Volume) error
	seen  []string // each the names of EFI/Linux
}

var slotA, slotB = text("slot a", 9000), text("slot b", 7000)

func twoSlots(t *testing.T, v *Volume) {
	put(t, v, "EFI/Linux/slot-number-a.efi", slotA)
	put(t, v, "EFI/Linux/slot-number-b+2.efi", slotB)
}

// Names that others wrote may lie across two sectors: a rename is then two
// steps, and both names may be seen, but never none.
func acrossSectors(t *testing.T, v *Volume) {
	put(t, v, "EFI/Linux/slot-number-a.efi", slotA)
	fillers := "CDEFGHIJKLMNOPQRSTUV"
	for _, n := range fillers {
		put(t, v, "EFI/Linux/SLOT"+string(n)+".EFI", nil)
	}
	for _, n := range fillers {
		must(t, v.Remove("EFI/Linux/SLOT"+string(n)+".EFI"))
	}
	list, err := v.store(bytes.NewReader(slotB), int64(len(slotB)))
	must(t, err)
	v.link(list)
	must(t, v.flush())
	d, last, err := v.walk("EFI/Linux/slot-number-b+2.efi")
	must(t, err)
	at := perSector - 2
	copy(d.raw[at*record:], records(last, d.taken(), ownRecord(attrArchive, list[0], int64(len(slotB)))))
	must(t, d.write(at))
	must(t, d.write(at+2))
}

var changes = []change{
	{"create", func(t *testing.T, v *Volume) { put(t, v, "EFI/Linux/slot-number-a.efi", slotA) },
		func(v *Volume) error {
			return v.Create("EFI/Linux/slot-number-b.efi", int64(len(slotB)), bytes.NewReader(slotB))
		},
		[]string{"slot-number-a.efi", "slot-number-a.efi slot-number-b.efi"}},
	{"rename", twoSlots,
		func(v *Volume) error { return v.Rename("EFI/Linux/slot-number-b+2.efi", "slot-number-b.efi") },
		[]string{"slot-number-a.efi slot-number-b+2.efi", "slot-number-a.efi slot-number-b.efi"}},
	{"rename across sectors", acrossSectors,
		func(v *Volume) error { return v.Rename("EFI/Linux/slot-number-b+2.efi", "slot-number-b.efi") },
		[]string{"slot-number-a.efi slot-number-b+2.efi", "slot-number-a.efi slot-number-b.efi",
			"slot-number-a.efi slot-number-b+2.efi slot-number-b.efi"}},
	{"remove", twoSlots,
		func(v *Volume) error { return v.Remove("EFI/Linux/slot-number-b+2.efi") },
		[]string{"slot-number-a.efi", "slot-number-a.efi slot-number-b+2.efi"}},
	{"a directory that must grow", func(t *testing.T, v *Volume) {
		twoSlots(t, v)
	},
		func(v *Volume) error {
			return v.Create("EFI/Linux/"+strings.Repeat("n", 96)+".efi", int64(len(slotB)), bytes.NewReader(slotB))
		},
		[]string{"slot-number-a.efi slot-number-b+2.efi",
			strings.Repeat("n", 96) + ".efi slot-number-a.efi slot-number-b+2.efi"}},
}

// After a cut at any write, names are the old or the new ones, every file that
// has a name is whole, and the volume can be used on.
func TestPowerCut(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			d, v := fresh(t, volumeSize)
			c.setup(t, v)
			d.Record()
			must(t, c.do(v))
			seen, n := map[string]int{}, 0
			d.Cuts(func(issued int, left *cut.Disk) {
				n++
				seen[strings.Join(afterCut(t, left), " ")]++
			})
			for s := range seen {
				if !slices.Contains(c.seen, s) {
					t.Errorf("seen after a cut: %s", s)
				}
			}
			if len(seen) != len(c.seen) {
				t.Errorf("of %d states %d were seen in %d cuts: %v", len(c.seen), len(seen), n, seen)
			}
		})
	}
}

// afterCut opens what is left, checks every file and uses the volume.
func afterCut(t *testing.T, left *cut.Disk) []string {
	t.Helper()
	v, err := Open(left)
	must(t, err)
	list := names(t, v, "EFI/Linux")
	check := func() {
		for _, name := range list {
			want := slotB
			if strings.Contains(name, "-a") {
				want = slotA
			}
			if got, err := get(v, "EFI/Linux/"+name); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s: %d bytes, %v", name, len(got), err)
			}
		}
	}
	check()
	_, err = v.Reclaim()
	must(t, err)
	put(t, v, "EFI/Linux/next.efi", text("next", 20_000))
	check()
	must(t, v.Remove("EFI/Linux/next.efi"))
	check()
	return list
}
