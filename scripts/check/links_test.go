package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	mdLink   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	makeUse  = regexp.MustCompile("(?m)(?:^|`)make ([a-z][a-z-]*)")
	makeRule = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

// page is one Markdown file.
type page struct{ path, text string }

// brokenLinks finds relative links to files that do not exist.
func brokenLinks(pages []page, exists func(string) bool) (broken []string) {
	for _, p := range pages {
		for _, m := range mdLink.FindAllStringSubmatch(p.text, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if !exists(filepath.Join(filepath.Dir(p.path), target)) {
				broken = append(broken, fmt.Sprintf("%s: link to %s leads nowhere", p.path, target))
			}
		}
	}
	return broken
}

// unknownTargets finds `make X` in the pages without a rule X in the Makefile.
func unknownTargets(pages []page, makefile string) (broken []string) {
	var rules []string
	for _, m := range makeRule.FindAllStringSubmatch(makefile, -1) {
		rules = append(rules, m[1])
	}
	for _, p := range pages {
		for _, m := range makeUse.FindAllStringSubmatch(p.text, -1) {
			if !slices.Contains(rules, m[1]) {
				broken = append(broken, fmt.Sprintf("%s: the Makefile has no target %s", p.path, m[1]))
			}
		}
	}
	return broken
}

func pages(t *testing.T) []page {
	t.Helper()
	var list []page
	for _, p := range paths(t) {
		if strings.HasSuffix(p, ".md") {
			text, err := os.ReadFile(filepath.Join(root, p))
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, page{p, string(text)})
		}
	}
	return list
}

func TestPages(t *testing.T) {
	list := pages(t)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	exists := func(p string) bool {
		_, err := os.Stat(filepath.Join(root, p))
		return !errors.Is(err, fs.ErrNotExist)
	}
	report(t, brokenLinks(list, exists))
	report(t, unknownTargets(list, string(makefile)))
}

func TestPagesCheckCatches(t *testing.T) {
	p := []page{{"docs/a.md", "see [b](b.md#x) and [c](../c.md) and [w](https://example.org)"}}
	got := brokenLinks(p, func(s string) bool { return s == "docs/b.md" })
	if want := []string{"docs/a.md: link to ../c.md leads nowhere"}; !slices.Equal(got, want) {
		t.Errorf("links: got %q, want %q", got, want)
	}
	p = []page{{"a.md", "run\n\nmake lab  # x\n\nor `make nothing`, which will make sense"}}
	got = unknownTargets(p, "lab: build\n")
	if want := []string{"a.md: the Makefile has no target nothing"}; !slices.Equal(got, want) {
		t.Errorf("targets: got %q, want %q", got, want)
	}
}

// maxBlob bounds a checked-in file in bytes; firmware and captures do not belong here.
const maxBlob = 1 << 20

// junkSuffixes are what editors, merges and runs leave behind.
var junkSuffixes = []string{"~", ".orig", ".rej", ".bak", ".swp", ".tmp", ".test", ".out", ".exe", ".pcap", ".prof"}

func TestNoJunk(t *testing.T) {
	for _, p := range paths(t) {
		for _, s := range junkSuffixes {
			if strings.HasSuffix(p, s) {
				t.Errorf("%s: does not belong into the tree", p)
			}
		}
		if info, err := os.Stat(filepath.Join(root, p)); err == nil && info.Size() > maxBlob {
			t.Errorf("%s: %d bytes, at most %d", p, info.Size(), maxBlob)
		}
	}
}
