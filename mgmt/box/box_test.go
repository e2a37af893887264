package box_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"waymark/mgmt/box"
)

func TestState(t *testing.T) {
	dir := t.TempDir()
	if _, err := box.Read(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no state: %v", err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := &box.State{Version: "1.2.0", Board: "qemu-x86_64", Started: at, LastBootReason: "power", Slot: "b",
		Trial: true, Healthy: true, Processes: []box.Process{{Name: "router", State: "running", Starts: 2, LastExit: "signal: killed"}}}
	if err := box.Write(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := box.Read(dir)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, box.StateFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Read(dir); err == nil {
		t.Error("half a file is no error")
	}
}

func TestAsk(t *testing.T) {
	dir := t.TempDir()
	if err := box.Ask(t.Context(), dir, box.Request{Do: box.Reboot}, nil); !errors.Is(err, box.ErrNoInit) {
		t.Errorf("nobody there: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	asked := make(chan box.Request, 4)
	served := make(chan error, 1)
	var told atomic.Bool
	done := make(chan bool, 1)
	go func() {
		served <- box.Serve(ctx, dir, func(_ context.Context, r box.Request) (func(), error) {
			asked <- r
			if r.Why == "no" {
				return nil, errors.New("not now")
			}
			return func() { done <- told.Load() }, nil
		})
	}()
	for errors.Is(box.Ask(t.Context(), dir, box.Request{Do: "wake"}, nil), box.ErrNoInit) {
	}
	want := box.Request{Do: box.Reboot, Why: "console"}
	if err := box.Ask(t.Context(), dir, want, func() { told.Store(true) }); err != nil || <-asked != want {
		t.Errorf("reboot: %v", err)
	}
	if !<-done {
		t.Error("init went before the console had told its user")
	}
	if err := box.Ask(t.Context(), dir, box.Request{Do: box.FactoryReset, Why: "no"}, nil); !errors.Is(err, box.ErrRefused) || !strings.Contains(err.Error(), "not now") {
		t.Errorf("refused: %v", err)
	}
	<-asked
	if err := box.Ask(t.Context(), dir, box.Request{Do: "format"}, nil); !errors.Is(err, box.ErrRefused) || len(asked) != 0 {
		t.Errorf("unknown request: %v", err)
	}
	c, err := net.Dial("unix", filepath.Join(dir, box.Socket))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(strings.Repeat("x", 1<<14))); err == nil {
		if n, _ := c.Read(make([]byte, 10)); n != 0 {
			t.Error("an endless line is answered")
		}
	}
	if st, err := os.Stat(filepath.Join(dir, box.Socket)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", st.Mode(), err)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("serve ends with %v", err)
	}
}

func TestSystem(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	s := &box.State{Version: "1.2.0", Slot: "b", Started: at, Clock: box.Clock{Source: "saved"}, Trial: true}
	for _, row := range []struct{ in, want string }{
		{"", `{"board":null,"box-started":"2026-01-02T03:04:05Z","clock":"saved, not synchronized","image":"1.2.0","last-boot-reason":null,"refused-reason":null,"refused-version":null,"slot":"b","status":"offline","trial":true}`},
		{`{"router":"branch1","slot":null,"pid":12345678}`, `{"board":null,"box-started":"2026-01-02T03:04:05Z","clock":"saved, not synchronized","image":"1.2.0","last-boot-reason":null,"pid":12345678,"refused-reason":null,"refused-version":null,"router":"branch1","slot":"b","trial":true}`},
	} {
		got, err := s.System(json.RawMessage(row.in))
		if err != nil || string(got) != row.want {
			t.Errorf("System(%s) = %s, %v\nwant %s", row.in, got, err, row.want)
		}
	}
	if _, err := s.System(json.RawMessage("[")); err == nil {
		t.Error("a broken row is no error")
	}
}
