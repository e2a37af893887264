package capture

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// Run calls frame for every frame on a Linux interface, both ways, that fits,
// until ctx ends (no error) or frame returns one, which Run returns. whole is
// the frame's length on the wire.
//
// What the kernel's lane forwards by XDP is not seen: no socket is.
func Run(ctx context.Context, device string, f *Filter, frame func(at time.Time, data []byte, whole int) error) error {
	ifi, err := net.InterfaceByName(device)
	if err != nil {
		return fmt.Errorf("capture on %s: %w", device, err)
	}
	c, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
	if err != nil {
		return fmt.Errorf("capture on %s: %w", device, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })() // fails on closed ones only
	buf := make([]byte, 64<<10)
	for {
		n, _, err := c.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("capture on %s: %w", device, err)
		}
		if !f.Fits(buf[:n]) {
			continue
		}
		if err := frame(time.Now(), buf[:n], n); err != nil {
			return err
		}
	}
}
