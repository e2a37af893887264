package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"waymark/image/build"
)

// entry of the base archive: what a staged folder cannot hold.
type entry struct {
	name  string
	mode  int // with the file type of stat(2)
	major int // of nodes
	minor int
	data  string // target of a link
}

// File types of stat(2).
const (
	dir  = 0o040000
	char = 0o020000
	link = 0o120000
)

// base are the folders, links and nodes of every image. The kernel needs the
// console before there is a devtmpfs.
var base = []entry{
	{name: "bin", mode: dir | 0o755}, {name: "dev", mode: dir | 0o755}, {name: "etc", mode: dir | 0o755},
	{name: "lib", mode: dir | 0o755}, {name: "proc", mode: dir | 0o755}, {name: "run", mode: dir | 0o755},
	{name: "sbin", mode: dir | 0o755}, {name: "sys", mode: dir | 0o755}, {name: "tmp", mode: dir | 0o1777},
	{name: "dev/console", mode: char | 0o600, major: 5, minor: 1}, {name: "dev/null", mode: char | 0o666, major: 1, minor: 3},
	{name: "init", mode: link | 0o777, data: strings.TrimPrefix(build.Program, "/")},
	{name: "sbin/modprobe", mode: link | 0o777, data: ".." + build.Program},
}

// cpio writes a newc archive of entries, without times and owners.
func cpio(list []entry) []byte {
	var b bytes.Buffer
	pad := func() {
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
	}
	for i, e := range append(list, entry{name: "TRAILER!!!"}) {
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
			i+1, e.mode, 0, 0, 1, 0, len(e.data), 0, 0, e.major, e.minor, len(e.name)+1, 0)
		b.WriteString(e.name + "\x00")
		pad()
		b.WriteString(e.data)
		pad()
	}
	return b.Bytes()
}

// initramfs packs the staged root and compresses it.
func (o *Options) initramfs(ctx context.Context, stage, root string, sizes Sizes) error {
	uroot, err := o.uroot(ctx)
	if err != nil {
		return err
	}
	ground, archive := filepath.Join(stage, "base.cpio"), filepath.Join(stage, "initramfs.cpio")
	if err := os.WriteFile(ground, cpio(base), 0o644); err != nil {
		return err
	}
	args := []string{"-nocmd", "-defaultsh=", "-initcmd=", "-skip-ldd", "-base=" + ground, "-o", archive}
	tops, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, t := range tops {
		args = append(args, "-files", filepath.Join(root, t.Name())+":"+t.Name())
	}
	// Away from the tree u-root finds no configuration of its own.
	if err := run(ctx, stage, []string{"GOARCH=" + o.Board.Arch, "GOOS=linux"}, uroot, args...); err != nil {
		return err
	}
	packed := filepath.Join(o.Out, InitramfsFile)
	if err := run(ctx, stage, nil, "zstd", "-q", "-19", "-T1", "-f", archive, "-o", packed); err != nil {
		return err
	}
	var e1, e2 error
	sizes["initramfs.cpio"], e1 = sizeOf(archive)
	sizes[InitramfsFile], e2 = sizeOf(packed)
	return errors.Join(e1, e2)
}

// uroot builds the pinned u-root for this machine, whatever the board is.
func (o *Options) uroot(ctx context.Context) (string, error) {
	program := filepath.Join(o.Tools, "u-root")
	err := run(ctx, o.Root, []string{"GOARCH=", "GOOS=", "CGO_ENABLED=0"}, "go", "build", "-trimpath", "-buildvcs=false",
		"-modfile=scripts/tools/uroot/go.mod", "-o", program, "github.com/u-root/u-root")
	return program, err
}

// run runs a program and returns what it said with its failure.
func run(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out)
	}
	return nil
}
