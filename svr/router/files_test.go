package router_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
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
	for _, m := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\| router \\|").FindAllSubmatch(text, -1) {
		for name := range strings.SplitSeq(string(m[1]), ", ") {
			listed = append(listed, strings.Trim(name, "`"))
		}
	}
	slices.Sort(listed)
	want := []string{router.EventsFile, router.EventsOld, router.LeasePrefix + "DEVICE.json", router.LeasePrefix + "DEVICE.VLAN.json",
		router.PPPoEPrefix + "DEVICE.json", router.ServedPrefix + "DEVICE.json", router.ServedPrefix + "DEVICE.VLAN.json",
		router.BookFile, router.EndpointsFile, router.ResolvFile, router.ResolvConf, router.LockFile, router.RecordsFile, router.SocketFile, router.StateFile, router.SysctlFile}
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf("docs/run-files.md lists %q, the router makes %q", listed, want)
	}
}
