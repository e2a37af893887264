package fast

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// OlderTables calls f with the session table of every older lane; its layout may be
// any, its memory can be read only, and only until f returns.
func (l *Lane) OlderTables(f func(mem []byte)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.older == nil {
		return nil
	}
	for _, g := range l.older.gens {
		if err := g.withTable(f); err != nil {
			return err
		}
	}
	return nil
}

func (g *generation) withTable(f func(mem []byte)) error {
	m := g.maps[mapTable]
	if m == nil {
		return nil // a version that calls it otherwise has another layout, too
	}
	n, page := int(m.ValueSize()), unix.Getpagesize()
	mem, err := unix.Mmap(m.FD(), 0, (n+page-1)/page*page, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map table of an older lane: %w", err)
	}
	defer unix.Munmap(mem)
	f(mem[:n])
	return nil
}
