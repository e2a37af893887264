package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"waymark/board"
	"waymark/image/boot"
	"waymark/image/modules"
)

// wanted lists the modules of an image; fatal are those without which it is none.
func wanted(b *board.Board) (names, fatal []string) {
	table := boot.Base(b)
	for _, m := range table.Modules {
		names = append(names, m.Name)
		if m.Need == boot.Fatal {
			fatal = append(fatal, m.Name)
		}
	}
	return append(append(names, boot.Packed...), b.Drivers...), fatal
}

// stageModules puts the modules of the board below root and returns their bytes.
// Files are stored plain: the archive is compressed as a whole. A kernel without
// lib/modules has everything built in.
func (o *Options) stageModules(ctx context.Context, root, release string) (int64, error) {
	from := filepath.Join(o.Kernel, "lib/modules", release)
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var parts [3][]byte
	for i, name := range []string{modules.DepFile, modules.BuiltinFile, modules.AliasFile} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return 0, err
		}
		parts[i] = b
	}
	names, fatal := wanted(o.Board)
	p, err := modules.Parse(parts[0], parts[1], parts[2]).
		Prune(names, func(n string) bool { return !slices.Contains(fatal, n) })
	if err != nil {
		return 0, err
	}
	to := filepath.Join(root, "lib/modules", release)
	var total int64
	for _, file := range p.Files {
		n, err := stageModule(ctx, filepath.Join(from, file), to, file)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, errors.Join(
		os.WriteFile(filepath.Join(to, modules.DepFile), p.Dep, 0o644),
		os.WriteFile(filepath.Join(to, modules.BuiltinFile), parts[1], 0o644),
		os.WriteFile(filepath.Join(to, modules.AliasFile), p.Alias, 0o644))
}

// unpackers are programs that unpack to their output, by suffix.
var unpackers = map[string][]string{".xz": {"xz", "-dc"}, ".zst": {"zstd", "-dc"}, ".gz": {"gzip", "-dc"}}

func stageModule(ctx context.Context, from, to, file string) (int64, error) {
	suffix := filepath.Ext(file)
	b, err := []byte(nil), error(nil)
	if u := unpackers[suffix]; u != nil {
		b, err = exec.CommandContext(ctx, u[0], append(u[1:], from)...).Output()
		file = strings.TrimSuffix(file, suffix)
	} else {
		b, err = os.ReadFile(from)
	}
	if err != nil {
		return 0, fmt.Errorf("unpack %s: %w", from, err)
	}
	if !bytes.HasPrefix(b, []byte("\x7fELF")) {
		return 0, fmt.Errorf("unpack %s: no module", from)
	}
	name := filepath.Join(to, file)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return 0, err
	}
	return int64(len(b)), os.WriteFile(name, b, 0o644)
}
