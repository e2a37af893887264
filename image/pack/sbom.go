package pack

import (
	"bufio"
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// bom is a bill of materials in the form of CycloneDX 1.5, without times and
// serial numbers: the same image has the same bill.
type bom struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Components []component `json:"components"`
}

type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
	Hashes  []hash `json:"hashes,omitempty"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

// sbom lists what the program is linked from, and the kernel.
func (o *Options) sbom(program, release string) (*bom, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("read modules of the program: %w", err)
	}
	b := &bom{Format: "CycloneDX", Spec: "1.5", Version: 1, Components: []component{
		{Type: "firmware", Name: "waymark", Version: o.Version, PURL: "pkg:golang/waymark@" + o.Version},
		{Type: "library", Name: "std", Version: info.GoVersion, PURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")},
	}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Components = append(b.Components, component{Type: "library", Name: m.Path, Version: m.Version,
			PURL: "pkg:golang/" + m.Path + "@" + m.Version})
	}
	k, err := kernelComponent(o.Kernel, release)
	if err != nil {
		return nil, err
	}
	b.Components = append(b.Components, k)
	return b, nil
}

// kernelComponent reads what scripts/kernel.sh wrote about the kernel's package.
func kernelComponent(dir, release string) (component, error) {
	k := component{Type: "operating-system", Name: "linux", Version: release, PURL: "pkg:generic/linux@" + release}
	text, err := os.ReadFile(filepath.Join(dir, "package"))
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil // one that somebody built
	}
	if err != nil {
		return k, err
	}
	field := map[string]string{}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		key, value, _ := strings.Cut(s.Text(), ": ")
		field[key] = value
	}
	k.Name, k.Version = field["Package"], field["Version"]
	k.PURL = "pkg:deb/debian/" + k.Name + "@" + k.Version
	if sum := field["SHA256"]; sum != "" {
		k.Hashes = []hash{{"SHA-256", sum}}
	}
	return k, nil
}
