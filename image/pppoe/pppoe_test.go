package pppoe_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A router and rp-pppoe's access concentrator, each on a kernel of its own.
func TestPPPoE(t *testing.T) {
	l := newLine(t)
	for _, row := range []struct {
		name string
		test func(*testing.T, *line)
		stay bool // the router runs on into the next row
	}{
		{"CHAP, MRU 1492", chap, true},
		{"orderly end", orderly, false},
		{"TCP through SVR, lane in the kernel", tcpBPF, false},
		{"TCP through SVR, service lane", tcpGo, true},
		{"PADT", padt, true},
		{"killed router", killed, true},
		{"server lost and back", lost, false},
		{"terminated by LCP", terminated, false},
		{"PAP", pap, false},
		{"service and access concentrator by name, smaller MTU", named, false},
		{"no such access concentrator", other, false},
		{"wrong password", wrong, false},
		{"MRU 1500", wide, false},
		{"on a tag: TCP through SVR, MRU 1500", tagged, false},
	} {
		began := time.Now()
		ok := t.Run(row.name, func(t *testing.T) {
			l.TB, l.cpe.TB, l.ac.TB = t, t, t
			row.test(t, l)
			if !row.stay {
				l.stop("TERM")
			}
		})
		l.TB, l.cpe.TB, l.ac.TB = t, t, t
		t.Logf("%s: %v", row.name, time.Since(began).Round(10*time.Millisecond))
		if !ok {
			l.stop("KILL") // the next row begins anew
		}
	}
}

func (l *line) expect(d object, want object) {
	l.Helper()
	for k, v := range want {
		if d[k] != v {
			l.Errorf("%s: %v, want %v", k, d[k], v)
		}
	}
}

func chap(t *testing.T, l *line) {
	l.serve("chap", 1492)
	l.dial("chap")
	d := l.connect()
	l.expect(d, object{"type": "pppoe", "session-interface": "pp-fiber", "ppp-state": "NETWORK", "access-concentrator": "ac1",
		"remote-address": "10.64.0.1", "session-mtu": 1492.0, "attempt": nil, "operational-status": "up"})
	if dns := fmt.Sprint(d["dns-server-address"]); dns != "[9.9.9.9 149.112.112.112]" {
		t.Errorf("DNS servers %s", dns)
	}
	own, _ := d["local-address"].(string)
	if !strings.HasPrefix(own, "10.64.0.") {
		t.Errorf("address %s", own)
	}
	l.eventually(l.cpe, "ip -4 address show dev pp-fiber | grep -q 'inet "+own+"/32'")
	l.eventually(l.cpe, "ip -6 address show dev pp-fiber | grep -q 'inet6 fe80::'")
	l.eventually(l.cpe, "ip link show dev pp-fiber | grep -q 'UP.*mtu 1492'")
	l.eventually(l.cpe, "ip route | grep -q 'default via 10.64.0.1 dev pp-fiber'")
	l.eventually(l.cpe, "ping -c 1 -W 10 198.51.100.1") // the box's own traffic
}

// An orderly end tells the access concentrator and leaves nothing behind.
func orderly(t *testing.T, l *line) {
	l.online()
	l.cpe.run("test -s /run/wm/router.pppoe-eth0.json")
	l.stop("TERM")
	l.eventually(l.ac, "grep -q 'LCP terminated by peer' /tmp/pppd.log && ! pidof pppd")
	l.cpe.run("! ip link show dev pp-fiber && ! ip route | grep default && ! test -e /run/wm/router.pppoe-eth0.json")
	if _, failure := l.cpe.try("! grep -E 'level=(ERROR|WARN)' /tmp/router.log"); failure != "" {
		l.fail("the end was not clean")
	}
	if out := l.cpe.run("cat /sys/class/net/eth0/mtu"); out != "1500\n" {
		t.Errorf("MTU of the line afterwards: %s", out)
	}
}

func pap(_ *testing.T, l *line) {
	l.serve("pap", 1492)
	l.dial("pap")
	l.expect(l.connect(), object{"access-concentrator": "ac1", "session-mtu": 1492.0})
	l.ac.run("grep -q 'PAP AuthReq' /tmp/pppd.log && ! grep -q CHAP /tmp/pppd.log")
}

func named(_ *testing.T, l *line) {
	l.serve("chap", 1492)
	l.dial("named")
	l.expect(l.connect(), object{"session-mtu": 1400.0})
	l.ac.run("grep -q 'rcvd .LCP ConfReq.*<mru 1400>' /tmp/pppd.log")
}

func wide(_ *testing.T, l *line) {
	l.serve("chap", 1500)
	l.dial("chap")
	l.expect(l.connect(), object{"session-mtu": 1500.0, "mtu": 1508.0})
	l.eventually(l.cpe, "ping -c 1 -W 10 -s 1472 10.64.0.1") // whole: 1500 bytes
	l.ac.run("grep -q 'rcvd .LCP EchoReq' /tmp/pppd.log")
}

// On a tagged line the kernel's session runs on a VLAN device, which the router
// makes, widens, follows over a killed router and removes.
func tagged(t *testing.T, l *line) {
	l.ac.run(fmt.Sprintf("ip link add link eth0 name eth0.%d type vlan id %[1]d", tag))
	l.port = fmt.Sprintf("eth0.%d", tag)
	defer func() {
		l.port = "eth0"
		l.ac.run(fmt.Sprintf("ip link delete eth0.%d", tag))
	}()
	l.tcp("tagged", "go", 1500, func() {})
	d := l.device()
	l.expect(d, object{"type": "pppoe", "session-interface": "pp-fiber", "session-mtu": 1500.0, "mtu": 1508.0})
	l.cpe.run("ip link show dev eth0.7 | grep -q 'UP.*mtu 1508'")
	l.stop("KILL")
	l.cpe.run("ip link show dev eth0.7")
	l.dial("tagged")
	l.redialled(d, soon)
	l.stop("TERM")
	l.cpe.run("! ip link show dev eth0.7 && ! ip link show dev pp-fiber && ! test -e /run/wm/router.pppoe-eth0.7.json")
	if out := l.cpe.run("cat /sys/class/net/eth0/mtu"); out != "1500\n" {
		t.Errorf("MTU of the port afterwards: %s", out)
	}
	if _, failure := l.cpe.try("! grep -E 'level=(ERROR|WARN)' /tmp/router.log"); failure != "" {
		l.fail("the end was not clean")
	}
}

// A refused password is told and not tried again soon.
func wrong(t *testing.T, l *line) {
	l.serve("chap", 1492)
	l.dial("wrong")
	d := l.until("refusal", soon, func(d object) bool { return d["attempt"] != nil })
	l.expect(d, object{"pppd-exit-code": 19.0, "connection-status": "waiting", "attempt": 1.0})
	if r, _ := d["pppd-exit-reason"].(string); !strings.HasPrefix(r, "user name or password refused") {
		t.Errorf("reason %q", r)
	}
	stamp := func(k string) time.Time {
		at, err := time.Parse(time.RFC3339, fmt.Sprint(d[k]))
		if err != nil {
			t.Error(err)
		}
		return at
	}
	if pause := stamp("next-retry-time").Sub(stamp("last-failure-time")); pause < 53*time.Second || pause > 67*time.Second {
		t.Errorf("next attempt after %v", pause)
	}
	l.eventually(l.cpe, "waymark show alarms -run /run/wm | grep -q 'PPPoE user name or password of interface .fiber. is refused'")
}

func other(_ *testing.T, l *line) {
	l.serve("chap", 1492)
	l.dial("other-ac")
	d := l.until("silence", soon, func(d object) bool { return d["attempt"] != nil })
	l.expect(d, object{"pppd-exit-code": 8.0, "connection-status": "discovering", "pppd-exit-reason": "no access concentrator answers"})
}

// ended waits for the next session after the present one ended.
func (l *line) redialled(before object, limit time.Duration) {
	l.Helper()
	l.until("another session", limit, func(d object) bool { return connected(d) && d["session-id"] != before["session-id"] })
}

func padt(_ *testing.T, l *line) {
	d := l.online()
	l.ac.run("killall -9 pppd")
	l.redialled(d, soon)
	if !l.logged("event=lost") || !l.logged("(PADT)") {
		l.fail("the router does not tell of the PADT")
	}
}

func terminated(t *testing.T, l *line) {
	if out := l.cpe.run("cat /sys/class/net/eth0/mtu"); out != "1500\n" { // a router was killed and another ended since
		t.Errorf("MTU of the line: %s", out)
	}
	l.serve("chap", 1492, "maxconnect 5")
	l.dial("chap")
	d := l.connect()
	l.redialled(d, soon)
	if !l.logged("the other end ended the link: Connect time expired") {
		l.fail("the router does not tell of the end")
	}
}

// A router that was killed could not end its session: the next one does.
func killed(_ *testing.T, l *line) {
	d := l.online()
	l.stop("KILL")
	l.ac.run("pidof pppd")
	l.dial("chap")
	l.redialled(d, soon)
	l.eventually(l.ac, "test $(pidof pppoe | wc -w) = 1 && grep -q 'Terminating on signal' /tmp/pppd.log")
}

// Silence is noticed by echoes; the session comes back with the server.
func lost(_ *testing.T, l *line) {
	d := l.online()
	l.ip(l.bridge, "link", "set", "ac", "down")
	gone := l.until("loss", time.Minute, func(d object) bool { return !connected(d) })
	l.expect(gone, object{"pppd-exit-code": 15.0, "pppd-exit-reason": "the other end does not answer echoes"})
	l.eventually(l.cpe, "! ip route | grep default") // the reconciler follows
	l.ip(l.bridge, "link", "set", "ac", "up")
	l.redialled(d, time.Minute)
}
