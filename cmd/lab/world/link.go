package world

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// Offloads switches segmentation, receive coalescing and checksum offload of an
// interface on or off. A capture sees real frames and real checksums only when
// they are off at both ends of the link and at the hosts that send.
func (w *World) Offloads(ns, dev string, on bool) error {
	v := "off"
	if on {
		v = "on"
	}
	return w.runNow("", w.inside(ns, []string{"ethtool", "-K", dev,
		"tso", v, "gso", v, "gro", v, "tx", v, "rx", v})...)
}

// PlainLink switches the offloads of both ends of the cable at ns, dev off.
func (w *World) PlainLink(ns, dev string) error {
	c, err := w.cableAt(ns, dev)
	if err != nil {
		return err
	}
	if err := w.Offloads(c.a.ns, c.a.name, false); err != nil {
		return err
	}
	return w.Offloads(c.b.ns, c.b.name, false)
}

func (w *World) cableAt(ns, dev string) (cable, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := end{ns, dev}
	for _, c := range w.cables {
		if c.a == at || c.b == at {
			return c, nil
		}
	}
	return cable{}, fmt.Errorf("no cable at %s %s", ns, dev)
}

// MTU sets the largest IP packet of an interface.
func (w *World) MTU(ns, dev string, bytes int) error {
	return w.ipBatch(ns, fmt.Sprintf("link set dev %s mtu %d\n", dev, bytes))
}

// Rate limits what an interface sends to so many Mbit/s; 0 lifts the limit.
// The queue holds 50 ms.
func (w *World) Rate(ns, dev string, mbit int) error {
	if mbit == 0 {
		return w.runNow("", "tc", "-n", w.NS(ns), "qdisc", "del", "dev", dev, "root")
	}
	return w.runNow("", "tc", "-n", w.NS(ns), "qdisc", "replace", "dev", dev, "root", "tbf",
		"rate", strconv.Itoa(mbit)+"mbit", "burst", "128k", "latency", "50ms")
}

// Carrier takes the interface up or down; down, the other end of the cable
// loses its carrier.
func (w *World) Carrier(ns, dev string, up bool) error {
	state := "down"
	if up {
		state = "up"
	}
	return w.ipBatch(ns, fmt.Sprintf("link set dev %s %s\n", dev, state))
}

// linkState is the part of `ip -json link` that we read.
type linkState struct {
	Name  string   `json:"ifname"`
	Flags []string `json:"flags"`
}

// waitCarrier waits until every cable carries.
func (w *World) waitCarrier() error {
	w.mu.Lock()
	spaces := w.spaces
	w.mu.Unlock()
	for _, ns := range spaces {
		if err := Until(readyLimit, "carrier in "+ns, func() (bool, error) { return w.carries(ns) }); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) carries(ns string) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), execLimit)
	defer cancel()
	out, err := w.run(ctx, "", []string{"ip", "-n", w.NS(ns), "-json", "link", "show", "type", "veth"})
	if err != nil {
		return false, err
	}
	var links []linkState
	if err := json.Unmarshal([]byte(out), &links); err != nil {
		return false, fmt.Errorf("read ip's answer: %w", err)
	}
	for _, l := range links {
		if !hasFlag(l.Flags, "LOWER_UP") {
			return false, nil
		}
	}
	return true, nil
}

func hasFlag(flags []string, want string) bool {
	for _, f := range flags {
		if f == want {
			return true
		}
	}
	return false
}
