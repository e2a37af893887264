package world

import (
	"fmt"
	"slices"
)

// end is one side of a link: a namespace and the name of the interface there.
type end struct{ ns, name string }

// cable is a veth pair.
type cable struct {
	a, b end
	wan  bool // carries what an ISP carries: Options.MTU applies
}

func (w *World) makeCables() error {
	for _, c := range standardCables {
		if err := w.addCable(c); err != nil {
			return err
		}
	}
	return nil
}

// AddCable joins two namespaces by a veth pair, both ends up.
func (w *World) AddCable(nsA, devA, nsB, devB string) error {
	return w.addCable(cable{a: end{nsA, devA}, b: end{nsB, devB}})
}

func (w *World) addCable(c cable) error {
	err := w.ipBatch("", fmt.Sprintf("link add dev %s netns %s type veth peer name %s netns %s\n",
		c.a.name, w.NS(c.a.ns), c.b.name, w.NS(c.b.ns)))
	if err != nil {
		return err
	}
	for _, e := range []end{c.a, c.b} {
		mtu := ""
		if c.wan && w.opts.MTU != 0 {
			mtu = fmt.Sprintf(" mtu %d", w.opts.MTU)
		}
		if err := w.ipBatch(e.ns, fmt.Sprintf("link set dev %s%s up\n", e.name, mtu)); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cables = append(w.cables, c)
	return nil
}

// SplitCable cuts the cable at ns, dev: both ends move their far sides into a
// new namespace between them, where the caller joins trunk, which faces ns, and
// port. The ends keep their names but are new interfaces, up and with offloads
// off; they get again what the world had given them, not what others had.
func (w *World) SplitCable(ns, dev string) (middle, trunk, port string, err error) {
	c, err := w.cableAt(ns, dev)
	if err != nil {
		return "", "", "", err
	}
	if c.a != (end{ns, dev}) {
		c.a, c.b = c.b, c.a
	}
	w.dropCable(c)
	middle, trunk, port = "on-"+ns+"-"+dev, "trunk", "port"
	steps := []func() error{
		func() error { return w.IP(ns, "link del dev "+dev) },
		func() error { return w.AddNamespace(middle, false) },
		func() error { return w.addCable(cable{a: c.a, b: end{middle, trunk}, wan: c.wan}) },
		func() error { return w.addCable(cable{a: c.b, b: end{middle, port}, wan: c.wan}) },
		func() error { return w.PlainLink(middle, trunk) },
		func() error { return w.PlainLink(middle, port) },
		// The middle's own kernel says nothing on the wire.
		func() error { return w.SetSysctls(middle, "net/ipv6/conf/all/disable_ipv6=1") },
		func() error { return w.restore(c.a.ns) },
		func() error { return w.restore(c.b.ns) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return "", "", "", fmt.Errorf("split cable at %s %s: %w", ns, dev, err)
		}
	}
	return middle, trunk, port, nil
}

// restore sets again what the world has set in a namespace.
func (w *World) restore(ns string) error {
	w.mu.Lock()
	leased := w.leased
	w.mu.Unlock()
	list := hosts
	if leased {
		list = append(list[:len(list):len(list)], lteLease)
	}
	for _, h := range list {
		if h.ns == ns && !w.opts.Bare {
			if err := w.ipBatch(ns, h.script()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *World) dropCable(gone cable) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cables = slices.DeleteFunc(w.cables, func(c cable) bool { return c.a == gone.a || c.b == gone.a })
}
