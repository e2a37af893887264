package world

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// Capture is a running tcpdump on one interface.
type Capture struct {
	*Proc
	File string // pcap, nanosecond times, whole frames
}

// Capture records every frame of an interface into a file from now on, narrowed
// by a tcpdump filter if there is one.
func (w *World) Capture(ns, dev string, filter ...string) (*Capture, error) {
	f, err := os.CreateTemp(w.Dir, ns+"-"+dev+"-*.pcap")
	if err != nil {
		return nil, fmt.Errorf("make capture file: %w", err)
	}
	f.Close()
	argv := []string{"tcpdump", "-i", dev, "-n", "-U", "--immediate-mode", "-Z", "root",
		"--time-stamp-precision=nano", "-s", "262144", "-B", "65536", "-w", f.Name()}
	p, err := w.Start(ns, append(argv, filter...)...)
	if err != nil {
		return nil, err
	}
	if err := p.WaitOutput("listening on", readyLimit); err != nil {
		_ = p.Stop() // the first error is the one to tell
		return nil, err
	}
	return &Capture{Proc: p, File: f.Name()}, nil
}

// Frames ends the capture and reads what it holds. Frames that had left before
// the call are in it: tcpdump drains its buffer on SIGINT in immediate mode only
// as far as it was woken, so callers wait for the answer of what they sent.
func (c *Capture) Frames() ([]Frame, error) {
	if err := c.Signal(syscall.SIGINT); err != nil && !c.ended() {
		return nil, fmt.Errorf("end capture: %w", err)
	}
	if err := c.finish(stopGrace); err != nil {
		return nil, err
	}
	return ReadCapture(c.File)
}

// WaitFrames waits until the running capture holds frames that satisfy enough.
func (c *Capture) WaitFrames(limit time.Duration, enough func([]Frame) bool) error {
	return Until(limit, "frames in "+c.File, func() (bool, error) {
		frames, err := ReadCapture(c.File)
		return err == nil && enough(frames), err
	})
}
