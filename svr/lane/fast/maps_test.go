package fast

import (
	"testing"

	"github.com/cilium/ebpf"
)

// TestMapSpecs: the maps that a start makes without reading the object are those that
// the programs in it were compiled for; of the large ones and of lists the object knows
// no size.
func TestMapSpecs(t *testing.T) {
	object, err := readSpec()
	if err != nil {
		t.Fatal(err)
	}
	specs := mapSpecs(Config{}.defaults())
	if len(specs) != len(mapNames) {
		t.Errorf("%d maps, want %d", len(specs), len(mapNames))
	}
	large := map[string]bool{mapTable: true, mapHops: true, mapNetifs: true}
	for _, name := range mapNames {
		got, want := specs[name], object.Maps[name]
		if got == nil || want == nil {
			t.Errorf("%s: %v here, %v in the object", name, got, want)
			continue
		}
		type form struct {
			name       string
			typ        ebpf.MapType
			key, value uint32
		}
		g, w := form{got.Name, got.Type, got.KeySize, got.ValueSize}, form{want.Name, want.Type, want.KeySize, want.ValueSize}
		if large[name] {
			w.value = g.value
		}
		if g != w {
			t.Errorf("%s is %+v, in the object %+v", name, g, w)
		}
	}
}
