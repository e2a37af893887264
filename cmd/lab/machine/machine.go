// Package machine has a box's image in QEMU where the branch of a world is: its
// network cards are on the branch's cables, its report port takes orders.
package machine

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"waymark/board"
	"waymark/cmd/lab/world"
	"waymark/image/pack"
	"waymark/image/vm"
)

// Branch is a running box. Orders are given one at a time, and their answers are
// the next reports of their kind; what is reported in between is passed by.
type Branch struct {
	*vm.Machine

	ports []board.Port // in order of the cards
	mu    sync.Mutex   // held while an answer is awaited
}

// Config is c with a board's image, which dir has, and with network cards on the
// cables of the world's branch. usb names the ports that are USB sticks.
func Config(w *world.World, b *board.Board, dir string, c vm.Config, usb ...string) (vm.Config, error) {
	c.Arch, c.Kernel, c.Initrd = b.Emulated, filepath.Join(dir, pack.KernelFile), filepath.Join(dir, pack.InitramfsFile)
	c.Watchdog, c.Cmdline = true, "waymark.drill "+c.Cmdline
	// The namespace is no party: it only joins cards and cables.
	if err := w.SetSysctls(world.Branch, "net/ipv6/conf/all/disable_ipv6=1", "net/ipv6/conf/default/disable_ipv6=1"); err != nil {
		return c, err
	}
	for _, p := range b.Ports {
		nic, err := card(w, p.Name)
		if err != nil {
			return c, fmt.Errorf("card for %s: %w", p.Name, err)
		}
		if slices.Contains(usb, p.Name) {
			nic.Model = vm.USBStick
		}
		c.NICs = append(c.NICs, nic)
	}
	return c, nil
}

// card is a TAP in the branch's namespace, joined by a bridge to the cable there.
func card(w *world.World, port string) (vm.NIC, error) {
	f, err := vm.TAP(w.NS(world.Branch), "tap-"+port)
	if err != nil {
		return vm.NIC{}, err
	}
	bridge := "br-" + port
	err = w.IP(world.Branch, "link add "+bridge+" type bridge", "link set tap-"+port+" master "+bridge,
		"link set "+port+" master "+bridge, "link set "+bridge+" up")
	if err != nil {
		f.Close()
		return vm.NIC{}, err
	}
	return vm.NIC{TAP: f}, nil
}

// New is the box that runs in a machine made with Config.
func New(m *vm.Machine, b *board.Board) *Branch { return &Branch{Machine: m, ports: b.Ports} }

// Order gives init an order (docs/box.md, report port).
func (b *Branch) Order(o map[string]any) error {
	line, err := json.Marshal(o)
	if err == nil {
		_, err = b.Report.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("order %v: %w", o["do"], err)
	}
	return nil
}

// ask gives an order and reads its answer.
func (b *Branch) ask(ctx context.Context, o map[string]any, answer string, to any) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.Order(o); err != nil {
		return err
	}
	e, err := b.Report.Await(ctx, answer)
	if err != nil {
		return err
	}
	return e.Detail(to)
}

// Waymark runs a command of the box's program and returns what it printed.
func (b *Branch) Waymark(ctx context.Context, args ...string) (string, error) {
	var ran struct{ How, Out string }
	if err := b.ask(ctx, map[string]any{"do": "run", "args": args}, "ran", &ran); err != nil {
		return "", fmt.Errorf("run %q on the box: %w", args, err)
	}
	if ran.How != "exit" {
		return ran.Out, fmt.Errorf("run %q on the box: %s\n%s", args, ran.How, ran.Out)
	}
	return ran.Out, nil
}

// File reads a file of the box's run directory.
func (b *Branch) File(ctx context.Context, name string) (string, error) {
	var read struct {
		Text   string
		Failed bool
	}
	if err := b.ask(ctx, map[string]any{"do": "read", "file": name}, "read", &read); err != nil {
		return "", fmt.Errorf("read %s on the box: %w", name, err)
	}
	if read.Failed {
		return "", fmt.Errorf("read %s on the box: it cannot", name)
	}
	return read.Text, nil
}

// Show asks the router as `waymark show ARGS` does and returns the printed table.
func (b *Branch) Show(ctx context.Context, args ...string) (string, error) {
	return b.Waymark(ctx, append([]string{"show"}, args...)...)
}

// ShowJSON asks with -json and decodes the array of objects into v.
func (b *Branch) ShowJSON(ctx context.Context, v any, args ...string) error {
	out, err := b.Show(ctx, append(args[:len(args):len(args)], "-json")...)
	if err == nil {
		err = json.Unmarshal([]byte(out), v)
	}
	if err != nil {
		return fmt.Errorf("show %v on the box: %w", args, err)
	}
	return nil
}

// Plug plugs the cable of a port, or pulls it: the box sees its carrier come and go.
func (b *Branch) Plug(ctx context.Context, port string, in bool) error {
	i := slices.IndexFunc(b.ports, func(p board.Port) bool { return p.Name == port })
	if i < 0 {
		return fmt.Errorf("plug %s: the board has no such port", port)
	}
	return b.Cable(ctx, i, in)
}
