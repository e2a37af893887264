package main

import (
	"bytes"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
)

// Where the kernel refuses programs the lab shows the same: every step passes on
// the service lane alone.
func TestLabWithoutBPF(t *testing.T) {
	var out bytes.Buffer
	l := &lab{out: &out, prepare: func(w *world.World) error {
		w.Wrap = []string{"setpriv", "--bounding-set", "-bpf,-sys_admin,-perfmon"}
		return nil
	}}
	if err := l.demonstrate(t.Context()); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	if text := out.String(); !strings.Contains(text, "branch1: kernel 0 packets") || !strings.Contains(text, "hub1: kernel 0 packets") {
		t.Errorf("the kernel forwarded:\n%s", text)
	}
}
