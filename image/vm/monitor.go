package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"
)

// monitor is QEMU's, in control mode: JSON lines both ways (QEMU, QMP protocol
// specification).
type monitor struct {
	conn net.Conn

	mu      sync.Mutex // one command at a time
	lines   *bufio.Scanner
	greeted bool
}

func newMonitor(c net.Conn) *monitor { return &monitor{conn: c, lines: bufio.NewScanner(c)} }

// reply is what of a line of QEMU concerns commands; events have neither.
type reply struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
}

// command has QEMU execute one and waits until it has.
func (q *monitor) command(ctx context.Context, name string, arguments map[string]any) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = q.conn.SetDeadline(time.Unix(1, 0)) }) // a monitor that hangs is of no use later
	defer stop()
	if !q.greeted {
		if err := q.execute("qmp_capabilities", nil); err != nil {
			return err
		}
		q.greeted = true
	}
	return q.execute(name, arguments)
}

// execute is command for who holds mu.
func (q *monitor) execute(name string, arguments map[string]any) error {
	order := map[string]any{"execute": name}
	if arguments != nil {
		order["arguments"] = arguments
	}
	b, err := json.Marshal(order)
	if err == nil {
		_, err = q.conn.Write(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("order %s: %w", name, err)
	}
	for q.lines.Scan() {
		var r reply
		switch err := json.Unmarshal(q.lines.Bytes(), &r); {
		case err != nil:
			return fmt.Errorf("order %s: read %q: %w", name, q.lines.Bytes(), err)
		case r.Error != nil:
			return fmt.Errorf("order %s: %s: %s", name, r.Error.Class, r.Error.Desc)
		case r.Return != nil:
			return nil
		}
	}
	if err := q.lines.Err(); err != nil {
		return fmt.Errorf("order %s: %w", name, err)
	}
	return fmt.Errorf("order %s: %w", name, ErrEnded)
}

// Cable plugs the cable of a network card, by its index in Config.NICs, or pulls
// it: the machine sees its carrier come and go.
func (m *Machine) Cable(ctx context.Context, nic int, plugged bool) error {
	if err := m.monitor.command(ctx, "set_link", map[string]any{"name": fmt.Sprintf("n%d", nic), "up": plugged}); err != nil {
		return fmt.Errorf("cable of card %d: %w", nic, err)
	}
	return nil
}
