package deny_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"waymark/net/deny"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
)

func prefixes(s ...string) (list []netip.Prefix) {
	for _, p := range s {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

// site makes a stranger and a box that are connected, with services on the box.
func site(t *testing.T) (stranger, box string) {
	stranger, box = nstest.New(t), nstest.New(t)
	nstest.Veth(t, netns.End{NS: stranger, Name: "s0", Addrs: prefixes("10.9.0.2/24", "fd09::2/64")},
		netns.End{NS: box, Name: "wan0", Addrs: prefixes("10.9.0.1/24", "fd09::1/64")})
	for ns, addr := range map[string]string{box: ":22", stranger: ":80"} {
		nstest.In(t, ns, func() error {
			l, err := net.Listen("tcp", addr)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		})
	}
	return stranger, box
}

// patience is how long to wait where silence is wanted, and where something else is:
// the machine may be busy.
func patience(want string) time.Duration {
	if want == "silent" {
		return 300 * time.Millisecond
	}
	return 20 * time.Second
}

// dial says what who connects sees, open, refused or silent, one of which is wanted.
func dial(ns, addr, want string) (seen string) {
	err := netns.Do(ns, func() error {
		c, err := net.DialTimeout("tcp", addr, patience(want))
		if err == nil {
			return c.Close()
		}
		return err
	})
	var wait net.Error
	switch {
	case err == nil:
		return "open"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &wait) && wait.Timeout():
		return "silent"
	}
	return err.Error()
}

func ping(ns, addr, want string) string {
	if netns.Run(ns, exec.Command("ping", "-n", "-c", "1", "-W", fmt.Sprint(patience(want).Seconds()), addr)) == nil {
		return "open"
	}
	return "silent"
}

func TestDeny(t *testing.T) {
	stranger, box := site(t)
	look := func(step, port22, port23, echo string) {
		t.Helper()
		for _, a := range []string{"10.9.0.1", "fd09::1"} {
			host := net.JoinHostPort(a, "")
			got := fmt.Sprint(dial(stranger, host+"22", port22), dial(stranger, host+"23", port23), ping(stranger, a, echo))
			if want := fmt.Sprint(port22, port23, echo); got != want {
				t.Errorf("%s: %s: %s, want %s", step, a, got, want)
			}
		}
		// The box itself may ask whom it likes.
		for _, a := range []string{"10.9.0.2:80", "[fd09::2]:80", "127.0.0.1:22"} {
			if got := dial(box, a, "open"); got != "open" {
				t.Errorf("%s: from the box to %s: %s", step, a, got)
			}
		}
	}
	open := func(owner string, list ...deny.Opening) {
		t.Helper()
		nstest.In(t, box, func() error { return deny.Open(owner, list) })
	}
	open("console", deny.Opening{Interface: "wan0", Protocol: deny.TCP, Port: 23}) // nothing is denied yet
	look("before", "open", "refused", "open")
	nstest.In(t, box, deny.Apply)
	look("denied", "silent", "silent", "silent")
	open("router", deny.Opening{Interface: "wan0", Protocol: deny.Echo})
	open("console", deny.Opening{Interface: "wan0", Protocol: deny.TCP, Port: 22}, deny.Opening{Interface: "lan0", Protocol: deny.TCP, Port: 23})
	open("console", deny.Opening{Interface: "wan0", Protocol: deny.TCP, Port: 22}, deny.Opening{Interface: "lan0", Protocol: deny.TCP, Port: 23})
	look("opened", "open", "silent", "open")
	open("console", deny.Opening{Interface: "wan0", Protocol: deny.UDP, Port: 22})
	look("another protocol", "silent", "silent", "open")
	open("router")
	look("closed", "silent", "silent", "silent")
	nstest.In(t, box, deny.Apply)
	look("applied twice", "silent", "silent", "silent")
}

func TestOpeningIsChecked(t *testing.T) {
	for _, o := range []deny.Opening{
		{}, {Interface: "wan0", Protocol: deny.TCP}, {Interface: "wan0", Protocol: deny.Echo, Port: 1},
		{Interface: "wan0", Protocol: "sctp", Port: 1}, {Interface: "an-interface-too-long", Protocol: deny.UDP, Port: 1},
	} {
		if err := deny.Open("x", []deny.Opening{o}); err == nil || !strings.Contains(err.Error(), "opening") {
			t.Errorf("%v: %v", o, err)
		}
	}
}
