package router

import "waymark/svr/router/ctl"

// Files of the run directory (docs/run-files.md).
const (
	LockFile    = "router.lock"        // flock; its text names the owner
	StateFile   = "router.state.json"  // what this router changed in the namespace
	SysctlFile  = "router.sysctl.json" // kernel parameters as they were before
	RecordsFile = "router.records"     // sessions of the fast lane, mapped
	LeasePrefix = "router.lease-"      // begins the file of a DHCP lease, by Linux interface
	PPPoEPrefix = "router.pppoe-"      // begins the file of a PPPoE session, by the Linux interface of its line
	EventsFile  = "events.jsonl"       // newest events
	EventsOld   = "events.jsonl.1"     // the events before those
	SocketFile  = ctl.Socket           // control socket
)
