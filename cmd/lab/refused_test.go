package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
)

// Where the kernel refuses programs the lab shows the same: every step passes on
// the service lane alone. Two steps have their time: of three rounds one holds that.
func TestLabWithoutBPF(t *testing.T) {
	var out bytes.Buffer
	for round := 1; ; round++ {
		out.Reset()
		l := &lab{out: &out, prepare: func(w *world.World) error {
			w.Wrap = []string{"setpriv", "--bounding-set", "-bpf,-sys_admin,-perfmon"}
			return nil
		}}
		err := l.demonstrate(t.Context())
		if err == nil {
			break
		}
		untimed := slices.DeleteFunc(slices.Clone(l.failed), func(s string) bool { return s == "failover" || s == "moved" })
		if round == 3 || len(untimed) > 0 || len(l.failed) == 0 {
			t.Fatalf("%v\n%s", err, out.String())
		}
		t.Log(out.String())
	}
	if text := out.String(); !strings.Contains(text, "branch1: kernel 0 packets") || !strings.Contains(text, "hub1: kernel 0 packets") {
		t.Errorf("the kernel forwarded:\n%s", text)
	}
}
