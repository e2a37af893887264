package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"waymark/mgmt/console"
	"waymark/mgmt/salt/module"
	"waymark/mgmt/salt/msgpack"
	"waymark/svr/router/ctl"
)

// maxRows bounds the answer to waymark.show.
const maxRows = 5000

// box is what functions may do here.
func (s *Settings) box() *module.Box {
	return &module.Box{
		Proc: os.DirFS(filepath.Join(s.Root, "proc")), Interfaces: interfaces, Usage: usage, Config: s.Config,
		Files: filepath.Join(s.StateDir, "files"), Reboot: s.reboot,
		Show: func(ctx context.Context, what string, detail bool) ([]any, error) {
			return show(ctx, s.RunDir, what, detail)
		},
	}
}

// show asks the router's socket, the way `waymark show` does.
func show(ctx context.Context, runDir, what string, detail bool) ([]any, error) {
	if _, err := ctl.Find(what); err != nil {
		return nil, err
	}
	rows := []any{}
	_, err := console.Ask(ctx, runDir, ctl.Request{Show: what, Detail: detail}, func(row json.RawMessage) error {
		if len(rows) == maxRows {
			return fmt.Errorf("show %s: more than %d rows", what, maxRows)
		}
		v, err := msgpack.FromJSON(row)
		rows = append(rows, v)
		return err
	})
	return rows, err
}

func usage(path string) (total, free uint64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, 0, err
	}
	return st.Blocks * uint64(st.Bsize), st.Bavail * uint64(st.Bsize), nil
}

func interfaces() ([]module.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []module.Interface
	for _, i := range all {
		m := module.Interface{Name: i.Name, Hardware: i.HardwareAddr.String(), Up: i.Flags&net.FlagUp != 0}
		if list, err := i.Addrs(); err == nil { // gone meanwhile: it has none
			for _, a := range list {
				m.Addresses = append(m.Addresses, a.String())
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// grains tell a master what this is. ipv4 and ipv6 must be true: masters look
// for boxes by them.
func grains(root fs.FS, id, master string) msgpack.Map {
	host := text(root, "proc/sys/kernel/hostname")
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i686"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	var version []any
	for part := range strings.SplitSeq(module.Compatible, ".") {
		n := int64(0)
		fmt.Sscan(part, &n)
		version = append(version, n)
	}
	g := msgpack.KV("id", id, "master", master, "host", host, "nodename", host, "localhost", host, "fqdn", host, "domain", "",
		"kernel", "Linux", "kernelrelease", text(root, "proc/sys/kernel/osrelease"), "cpuarch", arch, "osarch", runtime.GOARCH,
		"os", "Waymark", "os_family", "Waymark", "osfullname", "Waymark", "num_cpus", runtime.NumCPU(),
		"manufacturer", text(root, "sys/class/dmi/id/sys_vendor"), "productname", product(root), "serialnumber", id,
		"saltversion", module.Compatible, "saltversioninfo", version)
	return append(g, addresses()...)
}

func product(root fs.FS) string {
	if p := text(root, "sys/class/dmi/id/product_name"); p != "" {
		return p
	}
	return text(root, "proc/device-tree/model")
}

// addresses are the grains of interfaces.
func addresses() msgpack.Map {
	all, err := interfaces()
	if err != nil {
		return nil
	}
	v4, v6 := []any{}, []any{}
	by4, by6, both, hw := msgpack.Map{}, msgpack.Map{}, msgpack.Map{}, msgpack.Map{}
	for _, i := range all {
		own4, own6 := []any{}, []any{}
		for _, cidr := range i.Addresses {
			a, _, _ := strings.Cut(cidr, "/")
			if strings.Contains(a, ":") {
				own6 = append(own6, a)
			} else {
				own4 = append(own4, a)
			}
		}
		v4, v6 = append(v4, own4...), append(v6, own6...)
		by4.Set(i.Name, own4)
		by6.Set(i.Name, own6)
		both.Set(i.Name, slices.Concat(own4, own6))
		if i.Hardware != "" {
			hw.Set(i.Name, i.Hardware)
		}
	}
	return msgpack.KV("ipv4", v4, "ipv6", v6, "ip4_interfaces", by4, "ip6_interfaces", by6, "ip_interfaces", both, "hwaddr_interfaces", hw)
}
