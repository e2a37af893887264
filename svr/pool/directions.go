package pool

import "fmt"

// Directions calls f for every direction in a table of this layout that another
// process made, whatever it was doing when it died; mem is only read. What was half
// written is left out. It takes some bytes per slot while it runs.
func Directions(mem []byte, f func(k Key, a Action)) error {
	h, err := ReadHeader(mem)
	if err != nil {
		return err
	}
	t, err := newTable(mem, TableConfig{Slots: int(h.Slots), Seed: h.Seed, Clock: h.Clock})
	if err != nil {
		return fmt.Errorf("read table: %w", err)
	}
	for s := range t.slots {
		var m image
		if t.snapshot(s, &m) && m.form&(formLive|formSecond) == formLive {
			f(m.parse())
		}
	}
	return nil
}
