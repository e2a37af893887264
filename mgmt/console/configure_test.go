package console_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waymark/mgmt/config/life"
	"waymark/mgmt/console"
	"waymark/mgmt/console/cli"
)

// boxWithConfig has the example configuration and no router.
func boxWithConfig(t *testing.T) console.Options {
	t.Helper()
	data, err := os.ReadFile("../config/testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "running.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return console.Options{Run: dir, Config: file, Level: cli.Admin}
}

func script(t *testing.T, o console.Options, lines ...string) (string, error) {
	t.Helper()
	var b strings.Builder
	err := console.Script(t.Context(), strings.NewReader(strings.Join(lines, "\n")), &b, o)
	return b.String(), err
}

// TestConfigureTranscript is the life of a change without a router.
func TestConfigureTranscript(t *testing.T) {
	o := boxWithConfig(t)
	w, _ := serve(t, o)
	w.expect("# ")
	for _, line := range []string{"configure", "authority router branch1", "where", "location \"new office\"", "service-rout", "up", "tenant lab description x",
		"tenant lab descr y", "delete tenant lab", "delete tenant nobody", "top", "compare", "validate", "commit within 60", "commit within 60", "confirm",
		"delete authority tenant corp", "compare", "commit", "discard", "rollback 1", "exit", "show config versions", "show config version 9"} {
		w.typed(line + "\r")
		w.expect("# ")
	}
	golden(t, "configure", w.text())
}

func TestConfigureKeeps(t *testing.T) {
	o := boxWithConfig(t)
	if _, err := script(t, o, "configure", "authority description changed"); err != nil {
		t.Fatal(err)
	}
	// Another session finds the candidate; what runs is as it was.
	out, err := script(t, o, "configure", "compare", "show config running")
	if err != nil || !strings.Contains(out, "+ authority description changed  [free]") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = script(t, o, "show config running secrets")
	if err != nil || !strings.Contains(out, "603deb10") || strings.Contains(out, "changed") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = script(t, o, "configure", "commit now")
	if err != nil || !strings.Contains(out, "No router runs; the next one takes it.") {
		t.Errorf("%v\n%s", err, out)
	}
	run, err := life.Open(o.Config).Running()
	if err != nil || !strings.Contains(string(run.JSON()), "changed") {
		t.Errorf("not committed: %v", err)
	}
}

func TestOperatorSeesNoSecrets(t *testing.T) {
	o := boxWithConfig(t)
	o.Level = cli.Operator
	if out, err := script(t, o, "show config running"); err != nil || strings.Contains(out, "603deb10") || !strings.Contains(out, "(removed)") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, line := range []string{"show config running secrets", "configure", "rollback", "confirm"} {
		if out, err := script(t, o, line); err == nil {
			t.Errorf("%s as an operator: %s", line, out)
		}
	}
}
