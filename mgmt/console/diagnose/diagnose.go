// Package diagnose says what is wrong with a box's way to the network: stage by
// stage from the cable to the service, so that the first broken one is the one
// to mend. It is pure: facts in, findings out.
package diagnose

import (
	"fmt"
	"slices"
	"strings"
)

// State is how a stage is.
type State string

// States of a stage, the best first.
const (
	Good    State = "ok"
	Partial State = "partly"  // something is wrong, the box is on the network all the same
	Broken  State = "broken"  // what comes behind cannot work
	Unknown State = "unknown" // nobody could be asked
	Unused  State = "unused"  // there is nothing of the kind
)

// Interface is a network-interface.
type Interface struct {
	Name    string
	WAN     bool // it has a gateway, or gets its address from the network
	Up      bool
	Reason  string // why it is not up
	Gateway string
	Answers bool // the gateway answers; without one it does
}

// Facts are what the diagnosis is made of. A nil list is unknown.
type Facts struct {
	Router     error // why the router does not answer, nil when it does
	Interfaces []Interface
	// DNS: resolvers that are used, and why none answers ("" when one does).
	Resolvers []string
	DNSError  string
	// Clock is where the time comes from, Synced whether it agrees.
	TimeServers int
	Synced      bool
	Conductors  []Reach
	Peers       []Reach // paths of peers
	Services    []Reach
}

// Reach is something that is reached, or not.
type Reach struct {
	Name string
	Up   bool
	Why  string
}

// Stage is one step of the diagnosis.
type Stage struct {
	Name  string
	State State
	Found string
	Do    string // what helps, when it is not good
}

// reasons that a link has, and not an address.
var linkReasons = []string{"no-device", "no-carrier", "admin"}

// Run returns the stages in their order.
func Run(f *Facts) []Stage {
	if f.Router != nil {
		return []Stage{{"router", Broken, f.Router.Error(), "see `log router` and `show alarms`; `reboot` starts the box again"}}
	}
	return []Stage{link(f), address(f), gateway(f), dns(f), clock(f),
		reached("conductor", f.Conductors, "a conductor", "look whether port 930 is open on the way, and at `log agent`"),
		reached("peers", f.Peers, "a peer path", "look at `show bfd detail`: whether the other side is up, and keys and clocks are equal"),
		reached("services", f.Services, "a service", "look at `show service-path`: each service needs a route that is up")}
}

// wans are the interfaces that matter for the way out; without any, all.
func (f *Facts) wans() (list []Interface) {
	for _, i := range f.Interfaces {
		if i.WAN {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		return f.Interfaces
	}
	return list
}

func link(f *Facts) Stage {
	return wan("link", f, func(i *Interface) bool { return !slices.Contains(linkReasons, i.Reason) }, func(i *Interface) string {
		return map[string]string{"no-device": "the port does not exist: compare target-interface with `show device-interface`",
			"no-carrier": "plug in the cable, or look at the modem", "admin": "set enabled true"}[i.Reason]
	})
}

func address(f *Facts) Stage {
	return wan("address", f, func(i *Interface) bool { return i.Up || slices.Contains(linkReasons, i.Reason) }, func(*Interface) string {
		return "look at `show dhcp detail`, or `show device-interface` for PPPoE: does the network answer, are user name and VLAN right?"
	})
}

func gateway(f *Facts) Stage {
	s := wan("gateway", f, func(i *Interface) bool { return !i.Up || i.Gateway == "" || i.Answers }, func(i *Interface) string {
		return "ping " + i.Gateway + " from another host: not every gateway answers; else look at address and prefix length"
	})
	if s.State == Broken { // many gateways do not answer pings
		s.State = Partial
	}
	return s
}

// wan judges one thing about the WANs: broken when none is good.
func wan(name string, f *Facts, good func(*Interface) bool, do func(*Interface) string) Stage {
	s := Stage{Name: name, State: Good}
	var fine, bad []string
	for _, i := range f.wans() {
		if good(&i) {
			fine = append(fine, i.Name)
			continue
		}
		text := i.Name
		if i.Reason != "" {
			text += " (" + i.Reason + ")"
		}
		bad = append(bad, text)
		if s.Do == "" {
			s.Do = do(&i)
		}
	}
	switch {
	case len(fine)+len(bad) == 0:
		return Stage{name, Broken, "no network-interface is configured", "configure one"}
	case len(bad) == 0:
		s.Found = strings.Join(fine, ", ")
	case len(fine) == 0:
		s.State, s.Found = Broken, "not of "+strings.Join(bad, ", ")
	default:
		s.State, s.Found = Partial, strings.Join(fine, ", ")+"; not of "+strings.Join(bad, ", ")
	}
	return s
}

func dns(f *Facts) Stage {
	switch {
	case len(f.Resolvers) == 0:
		return Stage{"DNS", Partial, "no network told a resolver, and none is configured", "set dns-config, unless nothing needs names"}
	case f.DNSError != "":
		return Stage{"DNS", Broken, f.DNSError, "ping the resolvers (" + strings.Join(f.Resolvers, ", ") + "), or set others in dns-config"}
	}
	return Stage{Name: "DNS", State: Good, Found: strings.Join(f.Resolvers, ", ")}
}

func clock(f *Facts) Stage {
	switch {
	case f.TimeServers == 0:
		return Stage{Name: "clock", State: Unused, Found: "no time server is known", Do: "set system > ntp: digests and certificates need the time"}
	case !f.Synced:
		return Stage{"clock", Broken, "no time server agrees", "look at `show ntp`: is port 123 open on the way?"}
	}
	return Stage{Name: "clock", State: Good, Found: fmt.Sprintf("synchronized, %s", count(f.TimeServers, "server"))}
}

// maxNamed bounds the names in one line.
const maxNamed = 4

// reached judges a list of things to reach: broken when none is.
func reached(name string, list []Reach, what, do string) Stage {
	var bad []string
	for _, r := range list {
		if !r.Up {
			text := r.Name
			if r.Why != "" {
				text += " (" + r.Why + ")"
			}
			bad = append(bad, text)
		}
	}
	n := len(bad)
	if n > maxNamed {
		bad = append(bad[:maxNamed], fmt.Sprintf("and %d more", n-maxNamed))
	}
	switch {
	case len(list) == 0:
		return Stage{Name: name, State: Unused, Found: what + " is not configured"}
	case n == 0:
		return Stage{Name: name, State: Good, Found: fmt.Sprintf("%d of %d", len(list), len(list))}
	case n == len(list):
		return Stage{name, Broken, "not " + strings.Join(bad, ", "), do}
	}
	return Stage{name, Partial, fmt.Sprintf("%d of %d; not %s", len(list)-n, len(list), strings.Join(bad, ", ")), do}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Verdict is one line: the first broken stage and what to do, else the first
// that works in part, else that all is well.
func Verdict(stages []Stage) string {
	for _, state := range []State{Broken, Partial} {
		for _, s := range stages {
			if s.State == state {
				return fmt.Sprintf("%s %s: %s; %s", s.Name, map[State]string{Broken: "is broken", Partial: "works in part"}[state], s.Found, s.Do)
			}
		}
	}
	return "everything works"
}
