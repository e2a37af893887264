package accept

import (
	"strings"
	"testing"

	"waymark/cmd/lab/world"
)

// A user at `waymark console` on a terminal sees a live router, asks the
// network through it, and is told when the router is gone.
func TestConsole(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	c := newTerminal(s, world.Branch, "-run", s.branch.Run)
	c.expect("admin@node1.branch1# ")
	for _, row := range []struct{ line, want string }{
		{"show peers", "hub1"},
		{"show system", "Status:           running"},
		{"sh net det", "203.0.113.2/24"},
		{"show peeers", `did you mean "peers"?`},
		{"ping 203.0.113.1 count 2", "2 sent, 2 received, 0% loss"},
		{"ping 203.0.113.2 count 1", "1 received"},
		{"traceroute 203.0.113.1", "  1  203.0.113.1 "},
		{"log lines 5", "Process router is now active"},
		{"reboot\ry", "no init of Waymark runs here"},
	} {
		if out := c.command(row.line); !strings.Contains(out, row.want) {
			t.Errorf("%s: no %q in\n%s", row.line, row.want, out)
		}
	}
	c.types("show ten\t")
	c.expect("tenant ")
	c.types("\t\r") // the only one is completed
	c.expect("corp")
	c.expect("# ")
	c.types("log follow\r")
	c.expect("router is now active")
	s.exec(world.Branch, "ip", "link", "set", "lan0", "down")
	c.expect("operational down")
	c.types("\x03")
	c.expect("# ")
	s.must(s.branch.Kill())
	if out := c.command("show peers"); !strings.Contains(out, "the router is not running") {
		t.Errorf("show peers without router: %s", out)
	}
	c.types("exit\r")
	if err := c.ended(); err != nil {
		t.Errorf("the console ends with %v", err)
	}
}
