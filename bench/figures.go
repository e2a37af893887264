package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"waymark/bench/stats"
)

// Names of contestants.
const (
	tcpKernel    = "TCP, kernel forwarding"
	tcpWG        = "TCP, wireguard-go"
	tcpClear     = "TCP, Waymark service lane, clear"
	tcpCBC       = "TCP, Waymark service lane, AES-128-CBC + HMAC"
	tcpGCM       = "TCP, Waymark service lane, AES-256-GCM"
	tcpTransform = "TCP under UDP transform, Waymark service lane, AES-256-GCM"
	tcpFast      = "TCP, Waymark TC lane"
	tcpSix       = "TCP, Waymark TC lane, IPv6 over IPv4 waypoints"

	ppsDrop    = "64 bytes, XDP drop"
	ppsDropM   = "64 bytes, XDP drop, 1 M flows"
	ppsXDP     = "64 bytes, bare XDP redirect"
	ppsXDP64k  = "64 bytes, bare XDP redirect, 65,536 flows"
	ppsXDPM    = "64 bytes, bare XDP redirect, 1 M flows"
	ppsKernel  = "64 bytes, kernel forwarding"
	ppsKernel2 = "64 bytes, kernel forwarding, 2 routers"
	ppsNAT     = "64 bytes, kernel + nftables NAT"
	ppsTC      = "64 bytes, Waymark TC lane"
	ppsLane    = "64 bytes, Waymark XDP lane"
	ppsLane2   = "64 bytes, Waymark XDP lane, 2 routers"
	ppsLane8k  = "64 bytes, Waymark XDP lane, 8,192 sessions"
	ppsLane64k = "64 bytes, Waymark XDP lane, 65,536 sessions"
	ppsLane256 = "64 bytes, Waymark XDP lane, 262,144 sessions"
	ppsLaneM   = "64 bytes, Waymark XDP lane, 1 M sessions"

	overWG   = "64 bytes overloaded, wireguard-go"
	overLane = "64 bytes overloaded, Waymark service lane"
	overGCM  = "64 bytes overloaded, Waymark service lane, AES-256-GCM"

	sweepLane  = "goodput at overload, Waymark service lane"
	sweepFront = "goodput at overload, Waymark service lane, received on CPU 0"
	sweepTC    = "goodput at overload, Waymark TC lane"
	sweepXDP   = "goodput at overload, Waymark XDP lane"
	sweepBare  = "goodput at overload, bare XDP redirect"

	delayNone   = "delay p99, no router"
	delayKernel = "delay p99, kernel forwarding"
	delayTC     = "delay p99, Waymark TC lane"
	delayXDP    = "delay p99, Waymark XDP lane"

	lostKill = "frames lost at 1 Gbit/s while each router is killed and returns"

	newSessions = "new sessions, profile cpe"
	newMany     = "new sessions, profile hub"
	memoryCPE   = "memory, profile cpe, 90 % of 65,536 sessions"
	memoryHub   = "memory, profile hub, 90 % of 1 M sessions"
)

// figure is a number that each round gives, out of what contestants measured.
type figure struct {
	id, name string
	from     formula
	goal     goal
}

// goal is what a figure should be at least, or at most.
type goal struct {
	value float64
	most  bool
}

func least(v float64) goal { return goal{v, false} }
func most(v float64) goal  { return goal{v, true} }

// reference: a figure without a goal.
var reference = goal{}

// formula makes a figure's values, round by round, of those of contestants.
type formula struct {
	needs []string
	of    func(list [][]float64) []float64
}

// ratio is over / under.
func ratio(over, under string) formula {
	return formula{[]string{over, under}, func(v [][]float64) []float64 { return stats.Ratio(v[0], v[1]) }}
}

// alone is what one contestant measured, in units of per.
func alone(name string, per float64) formula {
	return formula{[]string{name}, func(v [][]float64) []float64 {
		out := slices.Clone(v[0])
		for i := range out {
			out[i] /= per
		}
		return out
	}}
}

// added is what one contestant takes more than nothing does, as a ratio to what
// another one takes more.
func added(over, under, nothing string) formula {
	return formula{[]string{over, under, nothing}, func(v [][]float64) []float64 {
		return stats.Ratio(stats.Less(v[0], v[2]), stats.Less(v[1], v[2]))
	}}
}

var figures = []figure{
	{"1", "XDP, 64 bytes, 1 router / kernel forwarding, 1,024 sessions", ratio(ppsLane, ppsKernel), least(3.5)},
	{"2", "XDP, 64 bytes, 1 router / kernel + nftables NAT", ratio(ppsLane, ppsNAT), least(6)},
	{"3", "XDP, 64 bytes, 2 routers / kernel forwarding", ratio(ppsLane2, ppsKernel2), least(3.7)},
	{"4a", "XDP, 65,536 sessions in random order / kernel forwarding, 1,024 flows", ratio(ppsLane64k, ppsKernel), least(2.8)},
	{"4b", "XDP, 1 M sessions in random order / kernel forwarding, 1,024 flows", ratio(ppsLaneM, ppsKernel), least(1.6)},
	{"5", "XDP, 64 bytes, 1 router / bare XDP redirect", ratio(ppsLane, ppsXDP), least(0.8)},
	{"6", "TC, TCP single stream, 2 routers / kernel forwarding", ratio(tcpFast, tcpKernel), least(0.95)},
	{"7a", "TC, TCP single stream, 2 routers / wireguard-go", ratio(tcpFast, tcpWG), least(5.5)},
	{"7b", "XDP, 64 bytes, 2 routers / wireguard-go overloaded", ratio(ppsLane2, overWG), least(55)},
	{"8", "AES-128-CBC + HMAC-SHA256-128, native TCP, 2 routers / wireguard-go", ratio(tcpCBC, tcpWG), least(1)},
	{"9a", "AES-256-GCM, native TCP, 2 routers / wireguard-go", ratio(tcpGCM, tcpWG), least(1.5)},
	{"9b", "AES-256-GCM, TCP under UDP transform, 2 routers / wireguard-go", ratio(tcpTransform, tcpWG), least(2.5)},
	{"9c", "AES-256-GCM, 64 bytes, overloaded, 1 router / wireguard-go overloaded", ratio(overGCM, overWG), least(10)},
	{"10a", "Goodput at overload / peak goodput, service lane", alone(sweepLane, 1), least(0.85)},
	{"10b", "Goodput at overload / peak goodput, TC", alone(sweepTC, 1), least(0.85)},
	{"10c", "Goodput at overload / peak goodput, XDP", alone(sweepXDP, 1), least(0.85)},
	{"11", "New sessions per second and core, thousands", alone(newSessions, 1e3), least(50)},
	{"12a", "Memory of profile cpe at 90 % of 65,536 IPv4 sessions, MB", alone(memoryCPE, 1e6), most(32)},
	{"12b", "Memory of profile hub at 90 % of 1 M IPv4 sessions, MB", alone(memoryHub, 1e6), most(350)},
	{"13", "Added latency per router, p99, TC / kernel forwarding", added(delayTC, delayKernel, delayNone), most(1)},
	{"14", "IPv6 over IPv4 waypoints, TC, TCP / wireguard-go", ratio(tcpSix, tcpWG), least(5)},
	{"kill", "Frames lost per million, 1 Gbit/s of 1,200-byte UDP, TC, while each of 2 routers is killed and returns", alone(lostKill, 1), most(1)},
	{"2-13a", "TCP single stream, clear, 2 routers / wireguard-go", ratio(tcpClear, tcpWG), least(3.5)},
	{"2-13b", "TCP single stream, AES-128-CBC + HMAC-SHA256-128, 2 routers / wireguard-go", ratio(tcpCBC, tcpWG), least(1)},
	{"2-13c", "64 bytes, service lane overloaded, 1 router / wireguard-go overloaded", ratio(overLane, overWG), least(8)},
	{"ref-1", "TCP, Waymark service lane, clear / kernel forwarding", ratio(tcpClear, tcpKernel), reference},
	{"ref-2", "TCP, wireguard-go / kernel forwarding", ratio(tcpWG, tcpKernel), reference},
	{"ref-3", "64 bytes, service lane overloaded / kernel forwarding", ratio(overLane, ppsKernel), reference},
	{"ref-4", "64 bytes, nftables NAT / kernel forwarding", ratio(ppsNAT, ppsKernel), reference},
	{"ref-5", "64 bytes, bare XDP redirect / kernel forwarding", ratio(ppsXDP, ppsKernel), reference},
	{"ref-6", "64 bytes, XDP drop, 1 M flows in random order / 1,024 flows", ratio(ppsDropM, ppsDrop), reference},
	{"ref-7", "64 bytes, bare XDP redirect, 65,536 flows in random order / 1,024 flows", ratio(ppsXDP64k, ppsXDP), reference},
	{"ref-8", "64 bytes, bare XDP redirect, 1 M flows in random order / 1,024 flows", ratio(ppsXDPM, ppsXDP), reference},
	{"ref-9", "64 bytes, TC, 1 router / kernel forwarding", ratio(ppsTC, ppsKernel), reference},
	{"ref-10", "Added latency per router, p99, XDP / kernel forwarding", added(delayXDP, delayKernel, delayNone), reference},
	{"ref-11", "New sessions per second and core, thousands, up to 1 M", alone(newMany, 1e3), reference},
	{"ref-12", "Goodput at overload / peak goodput, bare XDP redirect", alone(sweepBare, 1), reference},
	{"ref-13", "Goodput at overload / peak goodput, service lane, received on the generator's CPU", alone(sweepFront, 1), reference},
}

// choose returns the figures of a comma-separated list of ids, all without one,
// and tells which contestants they need. Those that only the page's drawings
// need come with all figures.
func choose(only string) (list []figure, wanted func(string) bool, err error) {
	if only == "" {
		return figures, func(string) bool { return true }, nil
	}
	names := map[string]bool{}
	for _, id := range strings.Split(only, ",") {
		i := slices.IndexFunc(figures, func(f figure) bool { return f.id == id })
		if i < 0 {
			return nil, nil, fmt.Errorf("no figure has id %q; there are %s", id, strings.Join(ids(), ", "))
		}
		list = append(list, figures[i])
		for _, n := range figures[i].from.needs {
			names[n] = true
		}
	}
	return list, func(n string) bool { return names[n] }, nil
}

// ids are those of all figures, in the order of the page.
func ids() (list []string) {
	for i := range figures {
		list = append(list, figures[i].id)
	}
	return list
}

// values are a figure's, round by round; nil when a contestant did not run.
func (f *figure) values(all map[string][]float64) []float64 {
	var list [][]float64
	for _, n := range f.from.needs {
		if all[n] == nil {
			return nil
		}
		list = append(list, all[n])
	}
	v := f.from.of(list)
	for i := range v {
		if math.IsInf(v[i], 0) {
			v[i] = stats.Missing
		}
	}
	return v
}
