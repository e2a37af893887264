package pppoe_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waymark/image/vm"
	"waymark/image/vm/vmtest"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
)

// line is a router that dials in, an access concentrator behind which lies a hub,
// a client behind the one and a server behind the other:
//
//	client ── cpe (machine) ── bridge ── ac (machine) ── hub ── server
type line struct {
	testing.TB
	bridge, client, hub, server string // namespaces
	waymark                     string // program
	configs                     string // folder
	cpe, ac                     *machine
	router                      string // process id in cpe
	port                        string // of the access concentrator in ac
	began                       time.Time
}

type object = map[string]any

// config is the lab's network with PPPoE where the branch had fiber.
func config(t testing.TB, change func(wan, dial object)) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vmtest.Root(t), "svr/router/testdata/acme.json"))
	var all object
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	routers := all["authority"].(object)["router"].([]any)
	devices := routers[0].(object)["node"].([]any)[0].(object)["device-interface"].([]any)
	lan, wan, lte := devices[0].(object), devices[1].(object), devices[2].(object)
	lan["target-interface"], lte["enabled"] = "eth1", false
	dial := object{"user-name": "cpe@isp", "password": "secret", "authentication-protocol": "chap"}
	wan["type"], wan["target-interface"], wan["pppoe"] = "pppoe", "eth0", dial
	nif := wan["network-interface"].([]any)[0].(object)
	delete(nif, "address")
	if change != nil {
		change(nif, dial)
	}
	if b, err = json.MarshalIndent(all, "", " "); err != nil {
		t.Fatal(err)
	}
	return b
}

// tag is the VLAN of the line in rows about tagged ones.
const tag = 7

// configs are the branch's, by name.
var configs = map[string]func(wan, dial object){
	"chap":     nil,
	"pap":      func(_, dial object) { dial["authentication-protocol"] = "pap" },
	"wrong":    func(_, dial object) { dial["password"] = "guess" },
	"other-ac": func(_, dial object) { dial["access-concentrator"] = "ac2" },
	"tagged":   func(wan, _ object) { wan["vlan"] = tag },
	"named": func(wan, dial object) {
		dial["access-concentrator"], dial["service-name"], wan["mtu"] = "ac1", "internet", 1400
	},
}

func newLine(t testing.TB) *line {
	l := &line{TB: t, bridge: nstest.New(t), client: nstest.New(t), hub: nstest.New(t), server: nstest.New(t), port: "eth0", began: time.Now()}
	kernel, guest := vmtest.Kernel(t, vm.AMD64), build(t, "./testdata/guest")
	l.waymark, l.configs = build(t, "waymark/cmd/waymark"), t.TempDir()
	if err := os.WriteFile(filepath.Join(l.configs, "hub.json"), config(t, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	l.wire()
	l.cpe = l.boot(1, kernel, cpeArchive(t, kernel, guest, l.waymark), [2]string{l.bridge, "cpe"}, [2]string{l.client, "lan0"})
	l.ac = l.boot(2, kernel, acArchive(t, kernel, guest), [2]string{l.bridge, "ac"}, [2]string{l.hub, "wan0"})
	l.cable()
	l.cpe.ready()
	l.ac.ready()
	l.Logf("both machines up after %v", time.Since(l.began).Round(time.Millisecond))
	l.cpe.run("ip link set lo up")
	l.ac.run("ip link set lo up; ip link set eth0 mtu 1600 up; ip address add 198.51.100.1/24 dev eth1; ip link set eth1 up; echo 1 >/proc/sys/net/ipv4/ip_forward")
	return l
}

// boot starts a machine with a card per TAP, each a namespace and a name. number
// is in their addresses.
func (l *line) boot(number int, kernel, initrd string, taps ...[2]string) *machine {
	l.Helper()
	c := vm.Config{Arch: vm.AMD64, Kernel: kernel + "/vmlinuz", Initrd: initrd, MemoryMB: 256, Cmdline: "net.ifnames=0 panic=-1", Once: true}
	for i, tap := range taps {
		f, err := vm.TAP(tap[0], tap[1])
		if err != nil {
			l.Fatal(err)
		}
		c.NICs = append(c.NICs, vm.NIC{TAP: f, MAC: fmt.Sprintf("02:00:00:00:%02x:%02x", number, i)})
	}
	return start(l, c)
}

func cpeArchive(t testing.TB, kernel, guest, waymark string) string {
	a := newArchive(t, guest)
	a.modules(kernel, "virtio_net", "pppoe", "8021q", "tun", "crc32c_generic", "nf_tables", "sch_ingress", "cls_bpf", "act_bpf")
	a.copy("/usr/bin/waymark", waymark)
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		a.add("/etc/"+name+".json", 0o600, config(t, configs[name]))
	}
	return a.write()
}

func acArchive(t testing.TB, kernel, guest string) string {
	a := newArchive(t, guest)
	a.modules(kernel, "virtio_net", "pppoe", "8021q", "ppp_async")
	for _, name := range []string{"pppd", "pppoe-server", "pppoe"} {
		a.program("/usr/sbin/", name)
	}
	secrets := []byte("\"cpe@isp\" * \"secret\" *\n")
	a.add("/etc/ppp/chap-secrets", 0o600, secrets)
	a.add("/etc/ppp/pap-secrets", 0o600, secrets)
	a.add("/etc/ppp/options", 0o644, nil)
	a.add("/etc/passwd", 0o644, []byte("root::0:0:root:/:/bin/sh\n"))
	return a.write()
}

// wire makes what lies around the machines.
func (l *line) wire() {
	p := netip.MustParsePrefix
	nstest.Veth(l, netns.End{NS: l.hub, Name: "lan0"}, netns.End{NS: l.server, Name: "s0", Addrs: []netip.Prefix{p("10.20.0.10/24")}})
	l.ip(l.server, "route", "add", "default", "via", "10.20.0.1")
	l.ip(l.bridge, "link", "add", "br0", "mtu", "1600", "type", "bridge")
	l.ip(l.bridge, "link", "set", "br0", "up")
}

// cable plugs the machines in.
func (l *line) cable() {
	for _, name := range []string{"cpe", "ac"} {
		l.ip(l.bridge, "link", "set", name, "mtu", "1600", "master", "br0")
	}
	l.ip(l.client, "address", "add", "192.168.1.10/24", "dev", "lan0")
	l.ip(l.client, "route", "add", "default", "via", "192.168.1.1")
}

func (l *line) ip(ns string, args ...string) {
	l.Helper()
	l.in(ns, "ip", args...)
}

func (l *line) in(ns, program string, args ...string) {
	l.Helper()
	cmd := exec.Command(program, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := netns.Run(ns, cmd); err != nil {
		l.Fatalf("%s %v: %v\n%s", program, args, err, out.String())
	}
}

// serve starts the access concentrator, which wants auth and has this MRU, with
// more options of pppd.
func (l *line) serve(auth string, mru int, options ...string) {
	l.Helper()
	l.silence()
	l.ac.run(fmt.Sprintf("printf '%%s\\n' auth require-%s lcp-echo-interval 5 lcp-echo-failure 3 'ms-dns 9.9.9.9' 'ms-dns 149.112.112.112' 'mtu %d' 'mru %d' +ipv6 debug "+
		"'logfile /tmp/pppd.log' '%s' >/etc/ppp/server-options; ip link set %s mtu %d up", auth, mru, mru, strings.Join(options, "' '"), l.port, mru+8))
	l.ac.run("pppoe-server -F -I " + l.port + " -C ac1 -S internet -L 10.64.0.1 -R 10.64.0.10 -N 16 -O /etc/ppp/server-options -q /usr/sbin/pppd </dev/null >>/tmp/server.log 2>&1 &")
}

// silence ends the access concentrator without a word to anybody.
func (l *line) silence() {
	l.ac.try("killall -9 pppoe-server pppd pppoe; rm -f /tmp/pppd.log")
}

// dial starts the router with a configuration, without the lane in the kernel:
// its programs take an emulated machine seconds to check.
func (l *line) dial(name string) { l.Helper(); l.start(name, "go") }

// start starts the router with a configuration and lanes.
func (l *line) start(name, lanes string) {
	l.Helper()
	l.router = strings.TrimSpace(l.cpe.run("waymark router -lanes " + lanes + " -config /etc/" + name + ".json -router branch1 -run /run/wm >/tmp/router.log 2>&1 & echo $!"))
}

// stop ends the router, by a signal, and waits until it is gone.
func (l *line) stop(signal string) {
	l.Helper()
	if l.router == "" {
		return
	}
	pid := l.router
	l.router = ""
	l.cpe.run(fmt.Sprintf("kill -%s %s", signal, pid))
	if _, failure := l.cpe.try(fmt.Sprintf("n=0; while [ -d /proc/%[1]s ] && ! grep -q State:.Z /proc/%[1]s/status; do usleep 20000; n=$((n+1)); [ $n -lt 1000 ] || exit 1; done", pid)); failure != "" {
		l.cpe.try("kill -QUIT " + pid + "; usleep 500000; kill -9 " + pid)
		l.fail("the router does not end")
	}
}

// show asks the router; nil: it does not answer (yet).
func (l *line) show(what string) (rows []object) {
	l.Helper()
	out, failure := l.cpe.try("waymark show " + what + " -json -run /run/wm 2>/dev/null")
	if failure == "" {
		if err := json.Unmarshal([]byte(out), &rows); err != nil {
			l.Fatalf("show %s: %v\n%s", what, err, out)
		}
	}
	return rows
}

// device is what show says of the device-interface that dials.
func (l *line) device() object {
	l.Helper()
	for _, r := range l.show("device-interface") {
		if r["name"] == "fiber" {
			return r
		}
	}
	return object{}
}

// until waits for a state of the device-interface.
func (l *line) until(what string, limit time.Duration, is func(object) bool) object {
	l.Helper()
	for deadline := time.Now().Add(limit); ; {
		d := l.device()
		if is(d) {
			return d
		}
		if time.Now().After(deadline) {
			l.fail("%s not within %v: %v", what, limit, d)
		}
	}
}

// fail tells what both ends logged.
func (l *line) fail(format string, args ...any) {
	l.Helper()
	cpe, _ := l.cpe.try("tail -n 80 /tmp/router.log; dmesg | tail -n 5")
	ac, _ := l.ac.try("cat /tmp/server.log; tail -n 60 /tmp/pppd.log; dmesg | tail -n 5")
	l.Fatalf(format+"\nrouter:\n%s\naccess concentrator:\n%s", append(args, cpe, ac)...)
}

func connected(d object) bool { return d["connection-status"] == "connected" }

// limit of what takes a second or two.
const soon = 40 * time.Second

// connect waits for a session and for what follows it, and returns the device then.
func (l *line) connect() object {
	l.Helper()
	d := l.until("session", soon, connected)
	for deadline := time.Now().Add(soon); ; { // the reconciler follows
		for _, r := range l.show("network-interface detail") {
			if r["name"] == "fiber" && r["oper-status"] == "up" {
				l.expect(r, object{"device-type": "pppoe", "dhcp": "disabled", "mtu": d["session-mtu"], "reason": nil})
				return l.until("session", soon, connected)
			}
		}
		if time.Now().After(deadline) {
			l.fail("the interface does not come up")
		}
	}
}

// online is connect with a router that may run already.
func (l *line) online() object {
	l.Helper()
	if l.router == "" {
		l.serve("chap", 1492)
		l.dial("chap")
	}
	return l.connect()
}

// eventually waits until a command of a machine succeeds.
func (l *line) eventually(m *machine, command string) {
	l.Helper()
	for deadline := time.Now().Add(soon); ; {
		out, failure := m.try(command)
		if failure == "" {
			return
		}
		if time.Now().After(deadline) {
			l.fail("%s: %s\n%s", command, failure, out)
		}
	}
}

// logged tells whether the router logged a text since it was started.
func (l *line) logged(text string) bool {
	l.Helper()
	_, failure := l.cpe.try("grep -qF '" + text + "' /tmp/router.log")
	return failure == ""
}
