package check

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// pure are the packages that decide and never act: no sockets, no files, no clock.
var pure = []string{"svr/wire", "svr/pool", "svr/policy", "svr/session", "svr/path", "svr/path/bfd", "svr/path/endpoint", "svr/path/mtu", "svr/path/peer",
	"svr/path/demand", "svr/path/natlife", "svr/path/ambient", "svr/path/quota", "svr/path/steer", "svr/event", "svr/secure", "svr/packet", "svr/seal"}

// leaves name third-party modules and the folders whose packages may use them.
var leaves = map[string][]string{
	"github.com/cilium/ebpf":      {"svr/lane", "bench"},
	"github.com/google/nftables":  {"net"},
	"github.com/mdlayher/netlink": {"net"},
	"github.com/mdlayher/packet":  {"net", "svr/lane"},
	"golang.org/x/crypto/ssh":     {"mgmt/uplink", "mgmt/agent", "mgmt/conductor", "cmd/conductor"},
	"golang.org/x/sys":            {"net", "svr/lane", "svr/router", "svr/watch", "mgmt/console/serial", "mgmt/uplink/meter", "cmd", "image", "board", "bench"},
	"golang.org/x/term":           {"mgmt/console", "mgmt/conductor/command", "cmd"},
	"go.etcd.io":                  {"mgmt/conductor/store/etcd"},
	"go.uber.org":                 {"mgmt/conductor/store/etcd"},
	"unsafe":                      {"net", "svr/pool", "svr/lane", "image/swap", "bench"},
}

// below tells whether an import path or folder is parent or lies in it.
func below(p, parent string) bool { return p == parent || strings.HasPrefix(p, parent+"/") }

func anyBelow(p string, parents []string) bool {
	return slices.ContainsFunc(parents, func(q string) bool { return below(p, q) })
}

// forbidden says why a package in dir must not import path; "" allows it.
func forbidden(dir, path string) string {
	own, ours := strings.CutPrefix(path, "waymark/")
	switch {
	case slices.Contains(pure, dir):
		if why := forbiddenPure(dir, path, own, ours); why != "" {
			return why
		}
	case below(dir, "svr") && ours && below(own, "mgmt") && !(own == "mgmt/config" && (dir == "svr/router" || dir == "svr/host")):
		return "svr knows no management; svr/router, svr/host and svr/policy take mgmt/config"
	case below(dir, "svr") && !below(dir, "svr/router") && ours && below(own, "svr/router"):
		return "svr/router is where all meet: nothing of svr builds on it"
	case below(dir, "net") && ours && (below(own, "svr") || below(own, "mgmt")):
		return "net/ is the kernel's side and knows neither svr nor mgmt"
	case below(dir, "board") && ours:
		return "board is a leaf"
	}
	if ours && below(own, "cmd") && !below(dir, "cmd") && !below(dir, "bench") {
		return "cmd only wires; the bench alone builds on its worlds"
	}
	for leaf, allowed := range leaves {
		if below(path, leaf) && !anyBelow(dir, allowed) {
			return fmt.Sprintf("%s belongs to %v", leaf, allowed)
		}
	}
	return ""
}

func forbiddenPure(dir, path, own string, ours bool) string {
	switch {
	case path == "net/netip":
		return ""
	case below(path, "net"), below(path, "os"), path == "syscall", below(path, "golang.org/x/sys"):
		return "pure packages touch no sockets, files or system calls"
	case ours && dir == "svr/policy" && own == "mgmt/config":
		return ""
	case ours && !slices.Contains(pure, own):
		return "pure packages import only each other"
	}
	return ""
}

func importRules(files []*file) (broken []string) {
	for _, f := range files {
		if f.test() {
			continue
		}
		for _, path := range f.imports() {
			if why := forbidden(f.dir(), path); why != "" {
				broken = append(broken, fmt.Sprintf("%s imports %s: %s", f.path, path, why))
			}
		}
	}
	return broken
}

// clock are the functions of package time that read or wait for the clock.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// clockRules finds pure packages that ask for the time instead of being told.
func clockRules(files []*file) (broken []string) {
	for _, f := range files {
		if f.test() || !slices.Contains(pure, f.dir()) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && isIdent(s.X, "time") && slices.Contains(clock, s.Sel.Name) {
				broken = append(broken, fmt.Sprintf("%s: time.%s in a pure package: time is passed in", f.at(s.Pos()), s.Sel.Name))
			}
			return true
		})
	}
	return broken
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// houses are folders that only hold packages.
var houses = []string{".", "cmd", "net", "svr", "mgmt", "image", "scripts"}

// junkNames say nothing about what is inside.
var junkNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "base", "stuff"}

func placeRules(files []*file) (broken []string) {
	for _, f := range files {
		if slices.Contains(houses, f.dir()) {
			broken = append(broken, f.path+": no Go file lies directly in "+f.dir())
		}
		if f.test() {
			continue // a test's own fixtures need no better name
		}
		stem, _, _ := strings.Cut(f.path[strings.LastIndex(f.path, "/")+1:], ".")
		if slices.Contains(junkNames, stem) || slices.Contains(junkNames, f.ast.Name.Name) {
			broken = append(broken, f.path+": the name says nothing about the content")
		}
	}
	return broken
}

func TestImports(t *testing.T) {
	files := tree(t)
	report(t, importRules(files))
	report(t, clockRules(files))
	report(t, placeRules(files))
}

func TestImportsCheckCatches(t *testing.T) {
	tests := []struct {
		dir, path string
		want      bool
	}{
		{"svr/wire", "net", true},
		{"svr/wire", "net/http", true},
		{"svr/wire", "net/netip", false},
		{"svr/packet", "os", true},
		{"svr/path", "os/exec", true},
		{"svr/event", "syscall", true},
		{"svr/secure", "golang.org/x/sys/unix", true},
		{"svr/session", "waymark/svr/wire", false},
		{"svr/session", "waymark/svr/router", true},
		{"svr/session", "waymark/net/link", true},
		{"svr/session", "waymark/mgmt/config", true},
		{"svr/policy", "waymark/mgmt/config", false},
		{"svr/policy", "waymark/mgmt/agent", true},
		{"svr/session", "unsafe", true},
		{"svr/pool", "unsafe", false},
		{"svr/lane", "waymark/mgmt/config", true},
		{"svr/router", "waymark/mgmt/config", false},
		{"svr/host", "waymark/mgmt/config", false},
		{"svr/host", "waymark/mgmt/agent", true},
		{"svr/host", "waymark/svr/router", true},
		{"svr/watch", "waymark/mgmt/config", true},
		{"svr/watch", "golang.org/x/sys/unix", false},
		{"svr/watch", "waymark/svr/router", true},
		{"svr/router", "waymark/mgmt/agent", true},
		{"svr/router", "waymark/net/link", false},
		{"net/link", "waymark/svr/wire", true},
		{"net/link", "waymark/mgmt/config", true},
		{"net/link", "github.com/mdlayher/netlink", false},
		{"svr/router", "github.com/mdlayher/netlink", true},
		{"mgmt/config", "golang.org/x/sys/unix", true},
		{"board", "waymark/net/link", true},
		{"svr/router", "waymark/cmd/lab/world", true},
		{"cmd/lab", "waymark/cmd/lab/world", false},
	}
	for _, tt := range tests {
		src := fmt.Sprintf("package p\nimport _ %q\n", tt.path)
		caught(t, tt.dir+"/x.go", src, tt.want, importRules)
	}
	caught(t, "svr/wire/x_test.go", `package p; import _ "os"`, false, importRules)
	caught(t, "svr/path/x.go", "package p\nimport \"time\"\nvar t = time.Now()\n", true, clockRules)
	caught(t, "svr/path/x.go", "package p\nimport \"time\"\nvar t = time.Second\n", false, clockRules)
	caught(t, "svr/router/x.go", "package p\nimport \"time\"\nvar t = time.Now()\n", false, clockRules)
	caught(t, "net/x.go", "package net", true, placeRules)
	caught(t, "net/link/x.go", "package link", false, placeRules)
	caught(t, "net/link/util.go", "package link", true, placeRules)
	caught(t, "svr/helpers/x.go", "package helpers", true, placeRules)
}
