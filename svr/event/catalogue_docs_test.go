package event_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"waymark/svr/event"
)

// TestDocs holds that docs/alarms.md has the table of the catalogue.
func TestDocs(t *testing.T) {
	var want strings.Builder
	for _, r := range event.Catalogue {
		who := r.By
		if r.Ours {
			who += " *"
		}
		message := strings.NewReplacer("|", `\|`, "<", "‹", ">", "›").Replace(r.Message)
		fmt.Fprintf(&want, "| %s | %s | %s | %s | %s | %s |\n", r.Category, r.Severity, message, who, r.Raise, r.Clear)
	}
	text, err := os.ReadFile("../../docs/alarms.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), want.String()) {
		t.Errorf("docs/alarms.md lacks the table:\n%s", want.String())
	}
}
