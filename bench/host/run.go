package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"waymark/bench/field"
	"waymark/cmd/lab/world"
)

// grace is what a transfer may take beyond its span: connecting through a
// handshake, and the end.
const grace = 10 * time.Second

// Transfer runs a receiver at an address of the line's server and a sender at its
// client, and returns bits per second over span, counted after warm.
func Transfer(l *field.Line, at netip.AddrPort, warm, span time.Duration) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find own binary: %w", err)
	}
	recv, err := start(l.World, l.Server, self, "receive", at.String(), warm.String(), span.String())
	if err != nil {
		return 0, err
	}
	defer recv.Stop()
	if err := recv.WaitOutput(Ready, grace); err != nil {
		return 0, fmt.Errorf("start receiver: %w", err)
	}
	send, err := start(l.World, l.Client, self, "send", at.String(), Congestion)
	if err != nil {
		return 0, err
	}
	defer send.Stop()
	select {
	case <-recv.Done():
	case <-time.After(warm + span + grace):
		return 0, fmt.Errorf("transfer to %v: no end; sender: %s", at, send.Output())
	}
	return result(recv.Output(), send.Output())
}

func start(w *world.World, ns string, cmd ...string) (p *world.Proc, err error) {
	err = field.RealTime(func() error {
		p, err = w.Start(ns, cmd...)
		return err
	})
	return p, err
}

func result(recv, send string) (float64, error) {
	_, line, ok := strings.Cut(recv, Ready+"\n")
	var r Result
	if !ok || json.Unmarshal([]byte(line), &r) != nil {
		return 0, errors.New("transfer failed: receiver: " + recv + " sender: " + send)
	}
	return r.Rate(), nil
}
