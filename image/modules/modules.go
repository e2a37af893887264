// Package modules reads the index of a kernel's modules (modules.dep,
// modules.builtin, modules.alias of depmod) and says which files to load for a
// module or for a device, in which order. It is pure; init loads, mkimage packs.
package modules

import (
	"bufio"
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Files of the index, below lib/modules/RELEASE.
const (
	DepFile     = "modules.dep"
	BuiltinFile = "modules.builtin"
	AliasFile   = "modules.alias"
)

// ErrNone: the kernel has no module of that name, neither as file nor built in.
type ErrNone string

// Error names the module.
func (e ErrNone) Error() string { return "no module " + string(e) }

// Index is what a kernel's modules are and need.
type Index struct {
	files   map[string]string   // name → file
	needs   map[string][]string // file → files, those to load first last
	builtin map[string]bool
	aliases []alias
}

type alias struct{ pattern, module string }

// Name is the name of a module's file: without folder and suffixes, with
// underscores as the kernel spells it.
func Name(file string) string {
	base, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(base, "-", "_")
}

// Parse reads the files of an index; any may be empty.
func Parse(dep, builtin, aliases []byte) *Index {
	x := &Index{files: map[string]string{}, needs: map[string][]string{}, builtin: map[string]bool{}}
	lines(dep, func(line string) {
		file, needs, ok := strings.Cut(line, ":")
		if ok {
			x.files[Name(file)], x.needs[file] = file, strings.Fields(needs)
		}
	})
	lines(builtin, func(line string) { x.builtin[Name(line)] = true })
	lines(aliases, func(line string) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "alias" {
			x.aliases = append(x.aliases, alias{f[1], f[2]})
		}
	})
	return x
}

func lines(text []byte, fn func(string)) {
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		if line := strings.TrimSpace(s.Text()); line != "" && line[0] != '#' {
			fn(line)
		}
	}
}

// Order returns the files to load for a module, what it needs first; none when
// it is built in. ErrNone when there is no such module.
func (x *Index) Order(name string) ([]string, error) {
	name = strings.ReplaceAll(name, "-", "_")
	file, ok := x.files[name]
	switch {
	case ok:
		needs := slices.Clone(x.needs[file])
		slices.Reverse(needs)
		return append(needs, file), nil
	case x.builtin[name]:
		return nil, nil
	}
	return nil, ErrNone(name)
}

// For returns the names of the modules that a device asks for by its modalias.
func (x *Index) For(modalias string) (names []string) {
	for _, a := range x.aliases {
		if ok, err := path.Match(a.pattern, modalias); ok && err == nil && !slices.Contains(names, a.module) {
			names = append(names, a.module)
		}
	}
	return names
}

// Prune returns the index of the named modules and what they need, for files
// that are unpacked: the parts that a smaller index file has, and the files. A
// name that no module has is an error, unless it is optional or built in.
func (x *Index) Prune(names []string, optional func(string) bool) (p *Pruned, err error) {
	keep := map[string]bool{}
	for _, n := range names {
		order, err := x.Order(n)
		if err != nil && !optional(n) {
			return nil, fmt.Errorf("prune modules: %w", err)
		}
		for _, f := range order {
			keep[f] = true
		}
	}
	p = &Pruned{}
	for f := range keep {
		p.Files = append(p.Files, f)
	}
	slices.Sort(p.Files)
	for _, f := range p.Files {
		needs := ""
		for _, n := range x.needs[f] {
			needs += " " + plain(n)
		}
		p.Dep = fmt.Appendf(p.Dep, "%s:%s\n", plain(f), needs)
	}
	for _, a := range x.aliases {
		if file, ok := x.files[a.module]; ok && keep[file] {
			p.Alias = fmt.Appendf(p.Alias, "alias %s %s\n", a.pattern, a.module)
		}
	}
	return p, nil
}

// Pruned is a smaller index.
type Pruned struct {
	Files      []string // as the whole index has them, perhaps compressed
	Dep, Alias []byte   // of files without compression
}

// plain is a file's name when it is not compressed.
func plain(file string) string {
	stem, _, _ := strings.Cut(file, ".ko")
	return stem + ".ko"
}
