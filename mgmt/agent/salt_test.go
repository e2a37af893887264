package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"waymark/mgmt/salt/minion"
	"waymark/mgmt/uplink/client"
	"waymark/mgmt/uplink/server"
	"waymark/mgmt/uplink/uplinktest"
)

// The minion at a conductor comes within the SSH connection, though no way out is
// metered, at the port of requests wherever the conductor's master listens. One that
// does not answer is asked again.
func TestSaltWithinUplink(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	store := uplinktest.New("box1")
	ports := make(chan string, 64)
	store.SaltDial = func(asset string, port int) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { // a master that hears and says nothing
			defer near.Close()
			_, _ = io.Copy(io.Discard, near)
		}()
		ports <- fmt.Sprint(asset, " ", port)
		return far, nil
	}
	s := uplinktest.Start(t, "", server.Config{Conductor: store, Log: slog.New(slog.DiscardHandler)})
	set := Settings{RunDir: t.TempDir(), StateDir: t.TempDir(), AssetID: "box1", Conductors: []string{s.Addr}, Root: t.TempDir(),
		Log: slog.New(slog.DiscardHandler), Timing: minion.Timing{Request: time.Second, Retry: 50 * time.Millisecond, RetryMax: time.Second},
		Uplink: client.Timing{Spread: 50 * time.Millisecond, Longest: 200 * time.Millisecond, Connect: 10 * time.Second}}
	done := make(chan error, 1)
	go func() { done <- Run(ctx, set) }()
	for range 2 {
		select {
		case got := <-ports:
			if got != "box1 4506" {
				t.Errorf("stream %s, want that of requests", got)
			}
		case <-ctx.Done():
			t.Fatal("no stream")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
