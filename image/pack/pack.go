package pack

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"waymark/board"
	"waymark/image/build"
)

// Files that Build leaves in Options.Out.
const (
	KernelFile    = "vmlinuz"
	InitramfsFile = "initramfs.zst"
	SizesFile     = "sizes.json"
)

// Options are what an image is made from.
type Options struct {
	Board   *board.Board
	Root    string // the tree: where go.mod lies
	Kernel  string // folder with vmlinuz, release, and lib/modules unless all is built in
	Out     string // folder to leave the image in
	Tools   string // folder for host tools that are built
	Version string
	Counter uint64
	Built   time.Time // of the sources, not of this run

	TrialSeconds int                 // of an update to this image
	UpdateKeys   []ed25519.PublicKey // whose bundles it takes

	Config string // configuration to build in, "": none
	Router string // name of the router in it, perhaps with the node's behind it

	// Finish steps run in order when kernel and initramfs are there: slot, disk,
	// bundle. What they return is added to the sizes.
	Finish []func(context.Context, *Options) (Sizes, error)
	// Log hears one line per step.
	Log func(string)
}

// Sizes are bytes of files, by name.
type Sizes map[string]int64

// Build makes the image.
func Build(ctx context.Context, o *Options) (Sizes, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	stage, err := os.MkdirTemp("", "waymark-image-")
	if err != nil {
		return nil, fmt.Errorf("make image: %w", err)
	}
	defer os.RemoveAll(stage)
	sizes, err := o.build(ctx, stage)
	if err != nil {
		return nil, fmt.Errorf("make image of %s: %w", o.Board.Name, err)
	}
	return sizes, nil
}

func (o *Options) check() error {
	switch {
	case (o.Config == "") != (o.Router == ""):
		return errors.New("make image: a built-in configuration needs both the file and the router's name")
	case o.Built.IsZero():
		return errors.New("make image: the time of the sources is missing")
	}
	return nil
}

// build stages everything below stage and packs it.
func (o *Options) build(ctx context.Context, stage string) (Sizes, error) {
	sizes := Sizes{}
	root := filepath.Join(stage, "root")
	o.Log("program")
	program := filepath.Join(root, build.Program)
	if err := o.compile(ctx, program); err != nil {
		return nil, err
	}
	o.Log("modules")
	release, err := os.ReadFile(filepath.Join(o.Kernel, "release"))
	if err != nil {
		return nil, err
	}
	kernel := strings.TrimSpace(string(release))
	if sizes["modules"], err = o.stageModules(ctx, root, kernel); err != nil {
		return nil, err
	}
	if err := o.describe(root, program, kernel); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	o.Log("initramfs")
	if err := o.initramfs(ctx, stage, root, sizes); err != nil {
		return nil, err
	}
	if err := copyFile(filepath.Join(o.Kernel, "vmlinuz"), filepath.Join(o.Out, KernelFile), 0o644); err != nil {
		return nil, err
	}
	for name, file := range map[string]string{"waymark": program, KernelFile: filepath.Join(o.Out, KernelFile)} {
		if sizes[name], err = sizeOf(file); err != nil {
			return nil, err
		}
	}
	sizes["total"] = sizes[KernelFile] + sizes[InitramfsFile]
	for _, finish := range o.Finish {
		more, err := finish(ctx, o)
		if err != nil {
			return nil, err
		}
		for name, n := range more {
			sizes[name] = n
		}
	}
	return sizes, writeJSON(filepath.Join(o.Out, SizesFile), sizes)
}

// compile builds the box's program for the board.
func (o *Options) compile(ctx context.Context, program string) error {
	ldflags := "-s -w -buildid= -X waymark/svr/router.Version=" + o.Version +
		" -X waymark/svr/router.Built=" + o.Built.UTC().Format(time.RFC3339)
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags}
	for _, pkgs := range small {
		args = append(args, "-gcflags="+pkgs+"=-l")
	}
	return run(ctx, o.Root, []string{"GOARCH=" + o.Board.Arch, "GOOS=linux", "CGO_ENABLED=0"},
		"go", append(args, "-o", program, "./cmd/waymark")...)
}

// small are packages that no packet passes through: they are compiled without
// copies of functions in their callers, which saves an eighth of the image. The
// cores of ciphers and hashes are not among them.
var small = strings.Fields(`
	waymark/cmd/... waymark/board waymark/image/... waymark/mgmt/... waymark/net/...
	waymark/svr/event waymark/svr/host waymark/svr/lane/fast waymark/svr/path/... waymark/svr/router/... waymark/svr/watch
	github.com/... golang.org/x/crypto/bcrypt golang.org/x/crypto/ssh/... golang.org/x/net/... golang.org/x/sys/... vendor/...
	archive/... bufio compress/... container/... context debug/... encoding/... errors fmt html/... io/... log/...
	math/big net os/... path/... reflect regexp/... sort strconv strings syscall text/...
	internal/poll internal/saferio internal/strconv internal/syscall/... internal/zstd
	crypto/dsa crypto/ecdh crypto/ecdsa crypto/ed25519 crypto/elliptic crypto/mlkem
	crypto/pbkdf2 crypto/rand crypto/rsa crypto/tls crypto/x509/...
	crypto/internal/fips140/drbg crypto/internal/fips140/ecdh crypto/internal/fips140/ecdsa crypto/internal/fips140/ed25519
	crypto/internal/fips140/mlkem crypto/internal/fips140/nistec crypto/internal/fips140/rsa
	crypto/internal/fips140/tls12 crypto/internal/fips140/tls13 crypto/internal/hpke`)

// describe stages what the image knows about itself, and its configuration.
func (o *Options) describe(root, program, kernel string) error {
	dir := filepath.Join(root, build.Dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// The router says there whom the live WAN's network names as resolvers.
	if err := os.Symlink("/run/waymark/resolv.conf", filepath.Join(root, "etc/resolv.conf")); err != nil {
		return err
	}
	info := build.Info{Board: o.Board.Name, Version: o.Version, Counter: o.Counter, Built: o.Built.UTC(), Kernel: kernel,
		TrialSeconds: o.TrialSeconds, UpdateKeys: o.UpdateKeys}
	bom, err := o.sbom(program, kernel)
	if err != nil {
		return err
	}
	if err := errors.Join(writeJSON(filepath.Join(root, build.File), info), writeJSON(filepath.Join(root, build.SBOM), bom)); err != nil {
		return err
	}
	if o.Config == "" {
		return nil
	}
	return errors.Join(copyFile(o.Config, filepath.Join(root, build.Config), 0o600),
		os.WriteFile(filepath.Join(root, build.Router), []byte(o.Router+"\n"), 0o644))
}

func writeJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}

func copyFile(from, to string, mode os.FileMode) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, mode)
}

func sizeOf(name string) (int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
