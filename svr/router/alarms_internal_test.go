package router

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"waymark/mgmt/config"
	"waymark/net/dhcp4"
	"waymark/net/pppoe"
	"waymark/net/sntp"
	"waymark/svr/event"
	"waymark/svr/host"
	"waymark/svr/path"
	"waymark/svr/path/peer"
	"waymark/svr/path/quota"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/watch"
	"waymark/svr/wire"
)

// alarmRouter is as much of branch1 as its alarms look at; no path is up.
func alarmRouter(t *testing.T) *Router {
	tables := acme(t, "branch1")
	set := &Settings{RunDir: t.TempDir(), ConfigFile: "x/running.json", Log: quiet()}
	j, err := openJournal(set, "branch1", "node1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.close() })
	r := &Router{set: set, log: set.Log, tables: tables, soft: tables, journal: j,
		status: make([]host.State, len(tables.Interfaces)), leaseTrack: newLeaseTrack(), daemons: daemons{runs: map[service]*daemon{}},
		parts: &Parts{Carrier: path.NewCarrier(carrierSetup(tables, true))}}
	return r
}

func (r *Router) ifNamed(name string) *policy.Interface {
	for i := range r.tables.Interfaces {
		if r.tables.Interfaces[i].Name == name {
			return &r.tables.Interfaces[i]
		}
	}
	panic("no interface " + name)
}

// life brings all interfaces and paths up or down.
func (r *Router) life(up bool) {
	for i := range r.status {
		r.status[i].Up = up
	}
	for i := range r.tables.Paths {
		p := &r.tables.Paths[i]
		local := p.Local
		if !local.IsValid() {
			local = netip.MustParseAddr("100.64.0.10")
		}
		r.parts.Carrier.SetInterface(uint16(p.If), true, []netip.Addr{local}, 1500)
		l := pick(up, path.Alive, path.Dead)
		r.parts.Carrier.SetLife(uint16(p.ID), l, netip.MustParseAddr("198.51.100.2"))
	}
}

// cause makes what a row of the catalogue is about wrong, or right.
type cause func(r *Router, wrong bool)

// often looks again every second for a while, as the reconciler does.
func often(look func()) {
	for range 40 {
		look()
		time.Sleep(time.Second)
	}
}

func quotaUsed(percent uint64) cause {
	return func(r *Router, wrong bool) {
		r.alarmQuota("lte", 100e6, &quota.Use{Rx: pick(wrong, percent, 79) * 1e6})
	}
}

func pools(set func(u *poolUse, s share)) cause {
	return func(r *Router, wrong bool) {
		s := share{used: 80, capacity: 100}
		if wrong {
			s.used = 90
		}
		var u poolUse
		set(&u, s)
		r.alarmPools(&u)
	}
}

var causes = map[string]cause{
	"cpu":    func(r *Router, wrong bool) { often(func() { r.alarmCPU(pick[int64](wrong, 86, 60)) }) },
	"memory": func(r *Router, wrong bool) { r.alarmMemory(pick[int64](wrong, 90, 85)) },
	"disk":   func(r *Router, wrong bool) { r.alarmDisk("/data", pick[int64](wrong, 9, 15)) },
	"hostname": func(r *Router, wrong bool) {
		list := []sntp.Server{{Name: "pool.ntp.org", Err: pick(wrong, fmt.Errorf("%w: no such", sntp.ErrName), nil)}, {Name: "192.0.2.1", Err: sntp.ErrName}}
		often(func() { r.alarmNames(list) })
	},
	"no-time-server": func(r *Router, wrong bool) { r.alarmClock(1, pick[time.Duration](wrong, -1, 1), time.Hour) },
	"unconfirmed": func(r *Router, wrong bool) {
		r.set.Unconfirmed = func() (int, bool) { return 7, wrong }
		r.alarmCommit()
	},
	"clock-offset": func(r *Router, wrong bool) {
		r.alarmBFD([]watch.Status{{Status: peer.Status{State: wire.BFDUp}, ClockOffset: pick[int64](wrong, -2100, 900), ClockKnown: true}})
	},
	"bfd-neighbor": func(r *Router, wrong bool) {
		s := peer.Status{Neighbor: true, State: pick(wrong, wire.BFDInit, wire.BFDUp), Remote: netip.MustParseAddrPort("192.0.2.9:4784")}
		often(func() { r.alarmBFD([]watch.Status{{Status: s}}) })
	},
	"service-down": func(r *Router, wrong bool) {
		f := r.ifNamed("lan")
		d := &daemon{what: 1, born: time.Now(), dead: make(chan struct{}), stop: func() {}}
		if wrong {
			close(d.dead)
		}
		r.daemons.put(service{f.ID, config.ServeDNS}, d)
		r.keepServing(f, config.ServeDNS, 1, true, nil)
	},
	"interface-down": func(r *Router, wrong bool) {
		r.alarmInterface(r.ifNamed("fiber"), host.State{Up: !wrong, Reason: pick(wrong, host.ReasonNoCarrier, "")})
	},
	"interface-admin-down": func(r *Router, wrong bool) {
		r.alarmInterface(r.ifNamed("fiber"), host.State{Up: !wrong, Reason: pick(wrong, host.ReasonAdmin, "")})
	},
	"data-quota":        quotaUsed(81),
	"data-quota-urgent": quotaUsed(96),
	"dhcp-unresolved": func(r *Router, wrong bool) {
		r.status[r.ifNamed("lte").ID] = host.State{Up: !wrong, Reason: pick(wrong, host.ReasonNoAddress, "")}
		often(r.alarmLeases)
	},
	"subnet-overlap": func(r *Router, wrong bool) {
		lte := r.ifNamed("lte").ID
		lease := &dhcp4.Lease{Address: netip.MustParsePrefix(pick(wrong, "192.168.1.77/24", "100.64.0.10/24"))}
		r.alarmOverlaps(&host.View{Leases: map[policy.IfID]*dhcp4.Lease{lte: lease}})
	},
	"pppoe-down": func(r *Router, wrong bool) {
		f := r.ifNamed("fiber")
		s := pppoe.Status{Session: pick(wrong, nil, &pppoe.Session{})}
		often(func() { r.alarmSession(f, s) })
	},
	"pppoe-refused": func(r *Router, wrong bool) {
		f := r.ifNamed("fiber")
		r.alarmSession(f, pppoe.Status{Session: pick(wrong, nil, &pppoe.Session{}), Failure: pick(wrong, &pppoe.Problem{Code: refusedCode}, nil)})
	},
	"path-down":        func(r *Router, wrong bool) { r.life(!wrong); r.alarmPaths() },
	"peer-unreachable": func(r *Router, wrong bool) { r.life(!wrong); r.alarmPaths() },
	"no-service-path": func(r *Router, wrong bool) {
		r.life(!wrong)
		often(r.alarmServices)
	},
	"session-table": pools(func(u *poolUse, s share) { u.sessions = s }),
	"next-hops":     pools(func(u *poolUse, s share) { u.nextHops = s }),
	"source-nat":    pools(func(u *poolUse, s share) { u.nat = s }),
	"fragments":     pools(func(u *poolUse, s share) { u.fragments = s }),
	"wayports": pools(func(u *poolUse, s share) {
		u.wayports = []pool.PathwayStats{{InUse: s.used, Max: s.capacity, Pairs: 1000}}
	}),
}

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// Every row of the catalogue that is the router's is raised by what it is about,
// stays while that lasts, and is cleared when it is over.
func TestEveryAlarm(t *testing.T) {
	for _, row := range event.Catalogue {
		if row.By != "router" {
			continue
		}
		t.Run(row.Name, func(t *testing.T) {
			do := causes[row.Name]
			if do == nil {
				t.Fatal("nothing raises it")
			}
			synctest.Test(t, func(t *testing.T) {
				r := alarmRouter(t)
				mine := func() (n int) {
					for _, a := range r.journal.active() {
						if a.Category == row.Category && a.Severity == row.Severity && fits(a.Message, row.Message) {
							n++
						}
					}
					return n
				}
				do(r, false)
				if mine() != 0 {
					t.Errorf("raised for nothing: %v", r.journal.active())
				}
				do(r, true)
				raised := mine()
				do(r, true)
				if mine() != raised || raised == 0 {
					t.Errorf("%d active, then %d: %v", raised, mine(), r.journal.active())
				}
				do(r, false)
				if mine() != 0 {
					t.Errorf("not cleared: %v", r.journal.active())
				}
			})
		})
	}
}

// fits tells whether a message is one of a row.
func fits(message, row string) bool {
	expr := regexp.MustCompile("<[a-z]+>").ReplaceAllString(regexp.QuoteMeta(row), ".+")
	return regexp.MustCompile("^" + expr + "$").MatchString(message)
}

func TestHostLoad(t *testing.T) {
	if got, err := parseMemory("MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:  250 kB\n"); err != nil || got != 75 {
		t.Errorf("memory %d, %v", got, err)
	}
	busy, idle, err := parseCPU("cpu  10 2 8 70 10 0 0 0 5 0\ncpu0 1 1 1 1\n")
	if err != nil || busy != 20 || idle != 80 {
		t.Errorf("busy %d, idle %d, %v", busy, idle, err)
	}
	for _, text := range []string{"", "cpu", "cpu 1 2 3", "cpu a b c d e f", "MemTotal: x", "MemTotal: 5 kB\nMemAvailable: 9 kB"} {
		_, _, errCPU := parseCPU(text)
		_, errMemory := parseMemory(text)
		if errCPU == nil || errMemory == nil {
			t.Errorf("%q is taken", text)
		}
	}
	l := hostLoad{}
	if _, err := l.cpuShare(); err != nil {
		t.Error(err)
	}
	if got, err := freeShare("/"); err != nil || got < 0 || got > 100 {
		t.Errorf("free %d, %v", got, err)
	}
}

func TestShelves(t *testing.T) {
	list := shelves([]config.Shelf{{Name: "a", Router: "r.1", MatchAny: true}, {Name: "b", NodeRegex: "^n", Category: "peer", Message: "x+"}})
	r := event.Record{Router: "rx1", Node: "node", Category: event.Peer, Message: "fxxk"}
	if list[0].Holds(&r) || !list[1].Holds(&r) {
		t.Errorf("a %v, b %v", list[0].Holds(&r), list[1].Holds(&r))
	}
	if names := []string{list[0].Name, list[1].Name}; !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("names %v", names)
	}
}
