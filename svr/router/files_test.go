package router_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"waymark/svr/router"
)

// docs/run-files.md lists the files that the router makes, and no others.
func TestRunFilesAreListed(t *testing.T) {
	text, err := os.ReadFile("../../docs/run-files.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllSubmatch(text, -1) {
		listed = append(listed, string(m[1]))
	}
	slices.Sort(listed)
	want := []string{router.EventsFile, router.EventsOld, router.LeasePrefix + "DEVICE.json", router.PPPoEPrefix + "DEVICE.json", router.LockFile, router.RecordsFile,
		router.SocketFile, router.StateFile, router.SysctlFile}
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf("docs/run-files.md lists %q, the router makes %q", listed, want)
	}
}
