package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const depsHead = `# Modules that are linked into %s. Direct ones need a reason: one line why the
# standard library will not do. ` + "`make deps`" + ` rewrites the list and keeps the reasons.
`

// goPackage is what we read of `go list -json`.
type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Module     *struct {
		Path string
		Main bool
	}
}

// linked lists the packages that a command is made of.
func linked(t *testing.T, command string) []goPackage {
	t.Helper()
	c := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Module", "./"+command)
	c.Dir = root
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", command, err, stderr.String())
	}
	var list []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// modules maps each foreign module to whether our own code imports it.
func modules(list []goPackage) map[string]bool {
	owner := map[string]string{}
	for _, p := range list {
		if p.Module != nil && !p.Module.Main {
			owner[p.ImportPath] = p.Module.Path
		}
	}
	direct := map[string]bool{}
	for _, m := range owner {
		direct[m] = false
	}
	for _, p := range list {
		if p.Module == nil || !p.Module.Main {
			continue
		}
		for _, i := range p.Imports {
			if m, ok := owner[i]; ok {
				direct[m] = true
			}
		}
	}
	return direct
}

// reasons reads the lines "direct MODULE: why" of a list.
func reasons(text string) map[string]string {
	why := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(line, "direct "); ok {
			module, reason, _ := strings.Cut(rest, ": ")
			why[strings.TrimSuffix(module, ":")] = reason
		}
	}
	return why
}

// depsText is the list as it should be.
func depsText(binary string, mods map[string]bool, why map[string]string) string {
	var lines []string
	for m, direct := range mods {
		if direct {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("direct %s: %s", m, why[m]))+"\n")
		} else {
			lines = append(lines, fmt.Sprintf("indirect %s\n", m))
		}
	}
	slices.Sort(lines)
	return fmt.Sprintf(depsHead, binary) + strings.Join(lines, "")
}

// commands lists the folders of cmd that are programs.
func commands(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, f := range tree(t) {
		if f.top() == "cmd" && !f.test() && f.main() && !slices.Contains(list, f.dir()) {
			list = append(list, f.dir())
		}
	}
	return list
}

func TestDependencies(t *testing.T) {
	for _, command := range commands(t) {
		binary := filepath.Base(command)
		path := filepath.Join(root, "deps", binary+".txt")
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		mods, why := modules(linked(t, command)), reasons(string(text))
		want := depsText(binary, mods, why)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if string(text) != want {
			t.Errorf("deps/%s.txt is not what the binary is made of; `make deps` writes:\n%s", binary, want)
		}
		for m, direct := range mods {
			if direct && why[m] == "" {
				t.Errorf("deps/%s.txt: %s has no reason", binary, m)
			}
		}
	}
}

func TestDependenciesCatches(t *testing.T) {
	type module = struct {
		Path string
		Main bool
	}
	ours, ext, far := &module{"waymark", true}, &module{"example.org/ext", false}, &module{"example.org/far", false}
	mods := modules([]goPackage{
		{ImportPath: "waymark/cmd/x", Imports: []string{"fmt", "example.org/ext/p"}, Module: ours},
		{ImportPath: "example.org/ext/p", Imports: []string{"example.org/far"}, Module: ext},
		{ImportPath: "example.org/far", Module: far},
		{ImportPath: "fmt", Standard: true},
	})
	why := reasons("direct example.org/ext: speaks X\nindirect example.org/far\n")
	want := fmt.Sprintf(depsHead, "x") + "direct example.org/ext: speaks X\nindirect example.org/far\n"
	if got := depsText("x", mods, why); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := reasons("direct example.org/ext:\n")["example.org/ext"]; got != "" {
		t.Errorf("missing reason: got %q, want none", got)
	}
}
