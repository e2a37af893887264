package host

// Files of the run directory (docs/run-files.md).
const (
	StateFile   = "router.state.json"  // what this router changed in the namespace
	SysctlFile  = "router.sysctl.json" // kernel parameters as they were before
	LeasePrefix = "router.lease-"      // begins the file of a DHCP lease, by Linux interface
	PPPoEPrefix = "router.pppoe-"      // begins the file of a PPPoE session, by the Linux interface of its line
)
