package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
)

// names must not be readable on an ISP's link: they ride in encrypted metadata.
var names = []string{"datacenter", "payroll", "corp", "branch1"}

// onTheWire records the branch's fiber link while both kinds of page are
// fetched, and looks at what a bystander would have seen.
func onTheWire(ctx context.Context, l *lab) (string, error) {
	c, err := l.w.Capture(world.ISPFiber, "branch")
	if err != nil {
		return "", err
	}
	for _, url := range []string{"http://10.20.0.80:8443/", "http://10.20.0.5/"} {
		if _, err := traffic.Get(ctx, l.w, world.Client, url); err != nil {
			return "", err
		}
	}
	open := func(f []world.Frame) bool { return count(f, openPage) > 0 }
	if err := c.WaitFrames(stepLimit, open); err != nil {
		return "", fmt.Errorf("the open page was not seen: %w", err)
	}
	frames, err := c.Frames()
	if err != nil {
		return "", err
	}
	return bystander(frames)
}

// bystander says what the frames show, or what they should not.
func bystander(frames []world.Frame) (string, error) {
	for i, f := range frames {
		for _, a := range addrs(f) {
			if a.IsPrivate() {
				return "", fmt.Errorf("frame %d of %d bears the private address %v", i, len(frames), a)
			}
		}
	}
	for _, secret := range append(names, secretPage) {
		if n := count(frames, secret); n > 0 {
			return "", fmt.Errorf("%q is readable in %d frames", secret, n)
		}
	}
	return fmt.Sprintf("%d frames: no private address, no name of tenant or service; "+
		"open page readable, payroll not", len(frames)), nil
}

func addrs(f world.Frame) []netip.Addr {
	src, dst, ok := f.Addrs()
	if !ok {
		return nil
	}
	return []netip.Addr{src, dst}
}

// count counts frames that hold text.
func count(frames []world.Frame, text string) (n int) {
	for _, f := range frames {
		if bytes.Contains(f.Data, []byte(text)) {
			n++
		}
	}
	return n
}
