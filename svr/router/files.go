package router

import (
	"waymark/svr/host"
	"waymark/svr/router/ctl"
)

// Files of the state directory (docs/run-files.md).
const (
	LifetimesFile = "router.lifetimes.json" // of the bindings of NATs, by interface and network
	UsageFile     = "router.usage.json"     // bytes of the month, by interface
	KeysFile      = "router.keys.json"      // since when the configuration's keys are what they are
)

// Files of the run directory (docs/run-files.md).
const (
	LockFile      = "router.lock" // flock; its text names the owner
	StateFile     = host.StateFile
	SysctlFile    = host.SysctlFile
	RecordsFile   = "router.records" // sessions of the fast lane, mapped
	LeasePrefix   = host.LeasePrefix
	PPPoEPrefix   = host.PPPoEPrefix
	ServedPrefix  = "router.dhcpd-"         // begins the file of a DHCP server's leases, by Linux interface
	ResolvFile    = "resolv.json"           // WANs and their resolvers, the live one first
	ResolvConf    = "resolv.conf"           // the live WAN's resolvers for other programs
	BookFile      = "router.book.json"      // where dynamic addresses of peers are
	EventsFile    = "events.jsonl"          // newest events
	EventsOld     = "events.jsonl.1"        // the events before those
	EndpointsFile = "router.endpoints.json" // where peers behind NATs were reached last
	SocketFile    = ctl.Socket              // control socket
)
