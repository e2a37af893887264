package console

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waymark/mgmt/box"
	"waymark/svr/router/ctl"
)

// Use is shown whether the router runs or not: it is the agent's.
func TestEntitlementWithoutRouter(t *testing.T) {
	run, req := t.TempDir(), ctl.Request{Show: "entitlement"}
	var out bytes.Buffer
	if _, err := show(t.Context(), &out, run, req, 50); !errors.Is(err, ctl.ErrNoRouter) {
		t.Errorf("with nothing to show: %v", err)
	}
	list, _ := box.Note(nil, "branch1", time.Now(), 11_940_000)
	if err := box.WriteEntitlement(filepath.Join(run, box.EntitlementFile), list); err != nil {
		t.Fatal(err)
	}
	_, err := show(t.Context(), &out, run, req, 50)
	want := "branch1 *" + time.Now().UTC().Format("Jan 2006") + " 11.94 Mbps"
	if text := strings.Join(strings.Fields(out.String()), " "); err != nil || !strings.Contains(text, "Project Month Entitlement Utilized") || !strings.Contains(text, want) {
		t.Errorf("%v\n%s", err, out.String())
	}
}
