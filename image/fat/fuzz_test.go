package fat

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
)

// FuzzDamaged overwrites parts of a volume and uses it: errors are fine, a
// panic, an endless loop or a write outside of the volume is not.
func FuzzDamaged(f *testing.F) {
	base, v := fresh(f, volumeSize)
	put(f, v, "EFI/Linux/slot-number-a.efi", slotA)
	put(f, v, "EFI/Linux/slot-number-b+2.efi", slotB)
	// Where it is worth while: boot sector, table, root, EFI, Linux.
	places := []int64{0, v.firstFAT * sector, v.offset(v.root), v.offset(v.root + 1), v.offset(v.root + 2)}
	f.Add([]byte{0, 0, 13, 2})
	f.Add([]byte{4, 0, 0, 0xe5, 4, 0, 32, 0x42})
	f.Fuzz(func(t *testing.T, patch []byte) {
		d := base.Clone()
		for ; len(patch) >= 4; patch = patch[4:] {
			s := make([]byte, sector)
			at := places[int(patch[0])%len(places)]
			if _, err := d.ReadAt(s, at); err != nil {
				t.Fatal(err)
			}
			s[binary.BigEndian.Uint16(patch[1:])%sector] = patch[3]
			if _, err := d.WriteAt(s, at); err != nil {
				t.Fatal(err)
			}
		}
		v, err := Open(d)
		if err != nil {
			return
		}
		list, err := v.List("EFI/Linux")
		if err != nil {
			return
		}
		for _, e := range list {
			if r, err := v.Open("EFI/Linux/" + e.Name); err == nil {
				_, _ = io.Copy(io.Discard, r)
			}
			_ = v.Rename("EFI/Linux/"+e.Name, "renamed")
		}
		_, _ = v.Reclaim()
		_ = v.Create("EFI/Linux/new.efi", 3000, bytes.NewReader(make([]byte, 3000)))
		_ = v.Remove("EFI/Linux/renamed")
	})
}
