package check

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// counterName is a counter as pages write it: `drop/no-route`.
var counterName = regexp.MustCompile("`((?:packets|drop|sessions|metadata|icmp|tcp|fragments)/[a-z-]+)`")

// unknownCounters finds counters in the text that the source does not print.
func unknownCounters(p page, source string) (broken []string) {
	for _, m := range counterName.FindAllStringSubmatch(p.text, -1) {
		if !strings.Contains(source, `"`+m[1]+`"`) {
			broken = append(broken, fmt.Sprintf("%s: there is no counter %s", p.path, m[1]))
		}
	}
	return broken
}

// unexplained finds drop counters of the source that the text leaves out.
func unexplained(p page, source string) (broken []string) {
	for _, m := range regexp.MustCompile(`"(drop/[a-z-]+)"`).FindAllStringSubmatch(source, -1) {
		if !strings.Contains(p.text, "`"+m[1]+"`") && !internalDrops[m[1]] {
			broken = append(broken, fmt.Sprintf("%s: says nothing about %s", p.path, m[1]))
		}
	}
	return broken
}

// internalDrops are our own shortages and damage on the way, where nobody did
// anything to be told about, and a name that nothing counts yet.
var internalDrops = map[string]bool{
	"drop/no-room": true, "drop/no-buffer": true, "drop/checksum": true,
	"drop/metadata-not-present": true,
}

// docs/denied.md and the counters of the engine tell the same story.
func TestDeniedNamesEveryDrop(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "svr/session/stats.go"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs/denied.md"))
	if err != nil {
		t.Fatal(err)
	}
	p := page{"docs/denied.md", string(text)}
	report(t, unknownCounters(p, string(source)))
	report(t, unexplained(p, string(source)))
}

func TestDeniedCheckCatches(t *testing.T) {
	p := page{"a.md", "`drop/known` and `drop/invented`"}
	source := `"drop/known", "drop/forgotten"`
	if got := unknownCounters(p, source); len(got) != 1 {
		t.Errorf("invented counter: got %q, want one line", got)
	}
	if got := unexplained(p, source); len(got) != 1 {
		t.Errorf("forgotten counter: got %q, want one line", got)
	}
}
