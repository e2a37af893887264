package pid1

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waymark/image/logfile"
)

func TestKernelLine(t *testing.T) {
	for record, want := range map[string]string{
		"6,339,5140900,-;NET: Registered PF_INET6\n SUBSYSTEM=net\n": "[    5.140900] NET: Registered PF_INET6",
		"4,1,0,c;Booting": "[    0.000000] Booting",
		"30,340,5140901,-;router: level=INFO msg=hello\n": "", // of a process, which has a log of its own
		"14,341,1,-;init: hello\n":                        "",
		"no record":                                       "",
		"6,2;short":                                       "",
		"x,2,3,-;text":                                    "",
		"6,2,x,-;text":                                    "",
	} {
		got, ok := kernelLine([]byte(record))
		if string(got) != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", record, got, ok)
		}
	}
}

// relay gives the log every line of a process, in parts where one is long, and
// ends with the last of its writers.
func TestRelay(t *testing.T) {
	dir := t.TempDir()
	log, err := logfile.Open(dir, "router")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { relay(r, log); close(done) }()
	long := strings.Repeat("z", logfile.LineMax+10)
	if _, err := w.WriteString("one\n" + long + "\nlast"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("relay goes on behind its writers")
	}
	b, err := os.ReadFile(filepath.Join(dir, "router.log"))
	if want := "one\n" + long[:logfile.LineMax] + "\n" + long[logfile.LineMax:] + "\nlast\n"; err != nil || string(b) != want {
		t.Errorf("%v, %d bytes, want %d", err, len(b), len(want))
	}
}
