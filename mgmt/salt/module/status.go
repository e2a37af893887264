package module

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"waymark/mgmt/salt/msgpack"
)

var statusTable = map[string]function{
	"status.uptime":      {doc: "Return how long the box has been up.", run: uptime},
	"status.loadavg":     {doc: "Return the load averages.", run: loadavg},
	"status.meminfo":     {doc: "Return /proc/meminfo.", run: meminfo},
	"status.cpuinfo":     {doc: "Return /proc/cpuinfo.", run: cpuinfo},
	"status.cpustats":    {doc: "Return the CPU lines of /proc/stat.", run: cpustats},
	"status.vmstats":     {doc: "Return /proc/vmstat.", run: vmstats},
	"status.netdev":      {doc: "Return /proc/net/dev.", run: netdev},
	"status.nproc":       {doc: "Return the number of processors.", run: nproc},
	"status.version":     {doc: "Return the kernel's version.", run: kernelVersion},
	"status.diskusage":   {usage: "*paths", doc: "Return total and available bytes of file systems.", max: -1, run: diskusage},
	"status.time":        {doc: "Return the box's time, UTC.", run: now},
	"status.all_status":  {doc: "Return all of the above.", run: allStatus},
	"network.interfaces": {doc: "Return the network interfaces with their addresses.", run: interfaces},
}

// lines reads a file of /proc.
func (c *Call) lines(name string) ([]string, error) {
	if c.Box.Proc == nil {
		return nil, fmt.Errorf("%w: there is no /proc", ErrCannot)
	}
	raw, err := fs.ReadFile(c.Box.Proc, name)
	if err != nil {
		return nil, fmt.Errorf("read /proc: %w", err)
	}
	return slices.DeleteFunc(strings.Split(string(raw), "\n"), func(l string) bool { return strings.TrimSpace(l) == "" }), nil
}

// scalar is a number where the text is one.
func scalar(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && strings.Contains(text, ".") {
		return f
	}
	return text
}

// first are the words of a file's first line, at least n.
func (c *Call) first(name string, n int) ([]string, error) {
	l, err := c.lines(name)
	if err != nil {
		return nil, err
	}
	if len(l) == 0 || len(strings.Fields(l[0])) < n {
		return nil, fmt.Errorf("read /proc/%s: unknown form", name)
	}
	return strings.Fields(l[0]), nil
}

func uptime(_ context.Context, c *Call) (any, error) {
	w, err := c.first("uptime", 1)
	if err != nil {
		return nil, err
	}
	up, err := strconv.ParseFloat(w[0], 64)
	if err != nil {
		return nil, fmt.Errorf("read /proc/uptime: %w", err)
	}
	load, err := c.first("loadavg", 3)
	if err != nil {
		return nil, err
	}
	seconds := int64(up)
	since := time.Now().Add(-time.Duration(up * float64(time.Second))).UTC()
	return msgpack.KV("seconds", seconds, "since_iso", since.Format("2006-01-02T15:04:05.000000"), "since_t", since.Unix(),
		"days", seconds/86400, "time", fmt.Sprintf("%d:%02d", seconds%86400/3600, seconds%3600/60), "users", 0, "load", strings.Join(load[:3], ", ")), nil
}

func loadavg(_ context.Context, c *Call) (any, error) {
	w, err := c.first("loadavg", 3)
	if err != nil {
		return nil, err
	}
	return msgpack.KV("1-min", scalar(w[0]), "5-min", scalar(w[1]), "15-min", scalar(w[2])), nil
}

func meminfo(_ context.Context, c *Call) (any, error) {
	return c.table("meminfo", func(name string, w []string) any {
		m := msgpack.KV("value", w[0])
		if len(w) > 1 {
			m.Set("unit", w[1])
		}
		return m
	})
}

// table reads lines of a name and words.
func (c *Call) table(file string, value func(name string, words []string) any) (any, error) {
	l, err := c.lines(file)
	if err != nil {
		return nil, err
	}
	out := msgpack.Map{}
	for _, line := range l {
		if w := strings.Fields(line); len(w) > 1 {
			name := strings.TrimSuffix(w[0], ":")
			out.Set(name, value(name, w[1:]))
		}
	}
	return out, nil
}

func vmstats(_ context.Context, c *Call) (any, error) {
	return c.table("vmstat", func(_ string, w []string) any { return scalar(w[0]) })
}

func cpuinfo(_ context.Context, c *Call) (any, error) {
	l, err := c.lines("cpuinfo")
	if err != nil {
		return nil, err
	}
	out := msgpack.Map{}
	for _, line := range l {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if name == "flags" || name == "Features" {
			out.Set(name, strings.Fields(value))
		} else {
			out.Set(name, value)
		}
	}
	return out, nil
}

func cpustats(_ context.Context, c *Call) (any, error) {
	kinds := []string{"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"}
	return c.table("stat", func(name string, w []string) any {
		if !strings.HasPrefix(name, "cpu") {
			return scalar(w[0])
		}
		m := msgpack.Map{}
		for i, k := range kinds {
			if i < len(w) {
				m.Set(k, scalar(w[i]))
			}
		}
		return m
	})
}

func netdev(_ context.Context, c *Call) (any, error) {
	l, err := c.lines("net/dev")
	if err != nil {
		return nil, err
	}
	names := []string{"rx_bytes", "rx_packets", "rx_errs", "rx_drop", "rx_fifo", "rx_frame", "rx_compressed", "rx_multicast",
		"tx_bytes", "tx_packets", "tx_errs", "tx_drop", "tx_fifo", "tx_colls", "tx_carrier", "tx_compressed"}
	out := msgpack.Map{}
	for _, line := range l {
		name, rest, ok := strings.Cut(line, ":")
		w := strings.Fields(rest)
		if !ok || len(w) != len(names) {
			continue // the two lines of heads
		}
		m := msgpack.KV("iface", strings.TrimSpace(name))
		for i, n := range names {
			m.Set(n, scalar(w[i]))
		}
		out.Set(strings.TrimSpace(name), m)
	}
	return out, nil
}

func nproc(_ context.Context, c *Call) (any, error) {
	l, err := c.lines("stat")
	if err != nil {
		return nil, err
	}
	n := 0
	for _, line := range l {
		if rest, ok := strings.CutPrefix(line, "cpu"); ok && rest[0] != ' ' {
			n++
		}
	}
	return n, nil
}

func kernelVersion(_ context.Context, c *Call) (any, error) {
	l, err := c.lines("version")
	if err != nil {
		return nil, err
	}
	return strings.Join(l, "\n"), nil
}

func diskusage(_ context.Context, c *Call) (any, error) {
	if c.Box.Usage == nil || c.Box.Files == "" {
		return nil, fmt.Errorf("%w: it has no file area", ErrCannot)
	}
	out := msgpack.Map{}
	for n := range c.Args {
		if p, err := c.text(n, "path", ""); err != nil || !strings.HasPrefix(p, "/") || printable(p) != p {
			return nil, fmt.Errorf("%w: %q", ErrPath, printable(p))
		}
	}
	paths := c.Args
	if len(paths) == 0 {
		paths = []any{"/", c.Box.Files}
	}
	for _, p := range paths {
		total, free, err := c.Box.Usage(p.(string))
		if err != nil {
			return nil, fmt.Errorf("ask file system: %w", err)
		}
		out.Set(p.(string), msgpack.KV("total", total, "available", free))
	}
	return out, nil
}

func now(context.Context, *Call) (any, error) {
	return time.Now().UTC().Format("Monday, 02. January 2006 03:04PM"), nil
}

func allStatus(ctx context.Context, c *Call) (any, error) {
	out := msgpack.Map{}
	for _, name := range []string{"cpuinfo", "cpustats", "diskusage", "loadavg", "meminfo", "netdev", "uptime", "vmstats"} {
		if v, err := statusTableOf(name)(ctx, c); err == nil {
			out.Set(name, v)
		}
	}
	return out, nil
}

// statusTableOf avoids that the table names itself in its own making.
func statusTableOf(name string) func(context.Context, *Call) (any, error) {
	return map[string]func(context.Context, *Call) (any, error){
		"cpuinfo": cpuinfo, "cpustats": cpustats, "diskusage": diskusage, "loadavg": loadavg,
		"meminfo": meminfo, "netdev": netdev, "uptime": uptime, "vmstats": vmstats,
	}[name]
}

func interfaces(_ context.Context, c *Call) (any, error) {
	if c.Box.Interfaces == nil {
		return nil, fmt.Errorf("%w: it has no interfaces", ErrCannot)
	}
	all, err := c.Box.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("read interfaces: %w", err)
	}
	out := msgpack.Map{}
	for _, i := range all {
		m := msgpack.KV("up", i.Up)
		if i.Hardware != "" {
			m.Set("hwaddr", i.Hardware)
		}
		var v4, v6 []any
		for _, a := range i.Addresses {
			p, err := netip.ParsePrefix(a)
			switch {
			case err != nil:
			case p.Addr().Is4():
				v4 = append(v4, msgpack.KV("address", p.Addr().String(), "netmask", netmask(p.Bits()), "broadcast", broadcast(p), "label", i.Name))
			default:
				v6 = append(v6, msgpack.KV("address", p.Addr().String(), "prefixlen", strconv.Itoa(p.Bits()), "scope", scope(p.Addr())))
			}
		}
		if v4 != nil {
			m.Set("inet", v4)
		}
		if v6 != nil {
			m.Set("inet6", v6)
		}
		out.Set(i.Name, m)
	}
	return out, nil
}

func netmask(bits int) string {
	m := ^uint32(0) << (32 - bits)
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}

// broadcast is nil where there is none: prefixes of 31 and 32 bits.
func broadcast(p netip.Prefix) any {
	if p.Bits() > 30 {
		return nil
	}
	a := p.Addr().As4()
	for i := range a {
		host := min(max(8*(i+1)-p.Bits(), 0), 8)
		a[i] |= byte(1<<host - 1)
	}
	return netip.AddrFrom4(a).String()
}

func scope(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "host"
	case a.IsLinkLocalUnicast():
		return "link"
	}
	return "global"
}
