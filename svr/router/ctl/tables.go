package ctl

// Tables are all answers there are, in alphabetical order. Headers are the
// vendor's where the vendor has the table.
var Tables = []Table{
	{What: "alarms", Columns: append(alarmColumns, Column{Header: "Process", Detail: true}), Tail: "There are %d shelved alarms"},
	{What: "alarms shelved", Columns: append(alarmColumns, Column{Header: "Reason"})},
	{What: "ambient", Columns: []Column{
		{Header: "Interface"}, {Header: "Peer-or-Conductor"}, {Header: "Channel"}, {Header: "Events-per-Day", Kind: Decimal},
		{Header: "Bytes-per-Event", Kind: Decimal}, {Header: "Predicted-30d", Kind: Number}, {Header: "Measured-30d", Kind: Number},
		{Header: "Vendor-30d", Kind: Number}, {Header: "Vendor-LTE-30d", Kind: Number}, {Header: "Events", Kind: Number, Extra: true},
		{Header: "Bytes", Kind: Number, Extra: true}, {Header: "Seconds", Kind: Number, Extra: true}}},
	{What: "bfd", Columns: bfdColumns},
	{What: "capacity", Columns: []Column{
		{Header: "Resource"}, {Header: "Entries", Kind: Number}, {Header: "Capacity", Kind: Number},
		{Header: "Usage", Kind: Percent}, {Header: "Highest", Kind: Number}, {Header: "Refused", Kind: Number}}},
	{What: "device-interface", Layout: Blocks, Columns: deviceColumns},
	{What: "dhcp", Columns: dhcpColumns},
	{What: "dhcp server", Columns: []Column{
		{Header: "Router"}, {Header: "Node"}, {Header: "Network Interface"}, {Header: "Address"}, {Header: "MAC Address"},
		{Header: "Hostname"}, {Header: "State"}, {Header: "Expires", Kind: Time}, {Header: "Client ID", Extra: true}}},
	{What: "dns", Columns: []Column{
		{Header: "Router"}, {Header: "Node"}, {Header: "Network Interface"}, {Header: "Server"}, {Header: "Source"},
		{Header: "State"}, {Header: "Queries", Kind: Number}, {Header: "Failures", Kind: Number}, {Header: "RTT(ms)", Kind: Decimal}}},
	{What: "dynamic-peer-update", Columns: []Column{
		{Header: "Router"}, {Header: "Node"}, {Header: "Interface"}, {Header: "Hostname"}, {Header: "Address"},
		{Header: "Last Update", Kind: Time}, {Header: "Status"}}},
	// The agent's, from its file: the router has no rows (mgmt/box).
	{What: "entitlement", Columns: []Column{
		{Header: "Project"}, {Header: "Month"}, {Header: "Entitlement Utilized"}, {Header: "Bits per Second", Kind: Number, Extra: true}}},
	{What: "events", Columns: eventColumns},
	{What: "events admin", Columns: eventColumns},
	{What: "events alarm", Columns: eventColumns},
	{What: "events system", Columns: eventColumns},
	{What: "events traffic", Columns: eventColumns},
	{What: "fib", Title: "Node: %s", Count: "Entry Count: %d", Columns: []Column{
		{Header: "IP Prefix"}, {Header: "Port"}, {Header: "Proto"}, {Header: "Tenant"}, {Header: "Service"},
		{Header: "Next Hops", Kind: List, Empty: "<none>"}, {Header: "Deny", Kind: Bool, Extra: true}}},
	{What: "network-interface", Columns: []Column{
		{Header: "Router"}, {Header: "Node"}, {Header: "Device"}, {Header: "Name"},
		{Header: "Forwarding", Kind: Bool}, {Header: "VLAN", Kind: Number}, {Header: "Device Type"},
		{Header: "Type"}, {Header: "DHCP"}, {Header: "Address", Kind: List}, {Header: "Gateway", Kind: List},
		{Header: "Hostname"}, {Header: "Admin Status"}, {Header: "Oper Status"}, {Header: "GIID", Kind: Number},
		{Header: "Dynamic", Kind: Bool, Extra: true}, // its address is the network's choice
		{Header: "Reason", Detail: true}, {Header: "MTU", Kind: Number, Detail: true},
		{Header: "Month Used(MB)", Kind: Decimal, Detail: true}, {Header: "Data Quota(MB)", Kind: Number, Detail: true}}},
	{What: "ntp", Columns: []Column{
		{Header: "Status"}, {Header: "Time Source"}, {Header: "Ref. ID"}, {Header: "Stratum", Kind: Number}, {Header: "Type"},
		{Header: "When", Kind: Number}, {Header: "Poll", Kind: Number}, {Header: "Reach", Kind: Number}, {Header: "Delay", Kind: Decimal},
		{Header: "Offset", Kind: Decimal}, {Header: "Jitter", Kind: Decimal}, {Header: "Tally Code"}, {Header: "Reason", Extra: true}}},
	{What: "peers", Columns: peerColumns},
	{What: "progress", Columns: []Column{
		{Header: "Node"}, {Header: "Forwarding", Kind: Bool}, {Header: "Interfaces Up", Kind: Number},
		{Header: "WAN Up", Kind: List, Empty: "<none>"}, {Header: "Down", Kind: List, Empty: "<none>"},
		{Header: "Lane Rounds", Kind: Number}, {Header: "Fast Packets", Kind: Number},
		{Header: "Router", Kind: Bool}, {Header: "Lane", Kind: Bool}, {Header: "Fast Lane", Kind: Bool}}},
	{What: "security key-status", Layout: Pairs, Columns: []Column{
		{Header: "Key manager state"}, {Header: "Rekey index", Kind: Number}, {Header: "Last rekey", Kind: Time},
		{Header: "Next rekey", Kind: Time, Empty: "never"}, {Header: "Key change count", Kind: Number},
		{Header: "Config key change count", Kind: Number}, {Header: "Key change error", Kind: Number},
		{Header: "Config key change error", Kind: Number}}},
	{What: "service-path", Columns: []Column{
		{Header: "Service"}, {Header: "Service-Route"}, {Header: "Type"}, {Header: "Destination"},
		{Header: "Next-Hop"}, {Header: "Interface"}, {Header: "Vector"}, {Header: "Cost", Kind: Number},
		{Header: "Rate"}, {Header: "Capacity"}, {Header: "State"}, {Header: "Established Packets"},
		{Header: "Peer", Extra: true}}},
	{What: "sessions", Title: "Node: %s", Columns: sessionColumns},
	{What: "stats", Columns: []Column{{Header: "Metric"}, {Header: "Node"}, {Header: "Value", Kind: Number}}},
	{What: "system", Layout: Pairs, Columns: []Column{
		{Header: "Router"}, {Header: "Node"}, {Header: "Status"}, {Header: "Version"},
		{Header: "Uptime", Kind: Span}, {Header: "Role"}, {Header: "Alarm Count", Kind: Number},
		{Header: "Started", Kind: Time}, {Header: "Profile"}, {Header: "Lanes"}, {Header: "PID", Kind: Number},
		{Header: "No Fast Lane"},
		// Init's, from its file: the router leaves them null (mgmt/box).
		{Header: "Board"}, {Header: "Image"}, {Header: "Slot"}, {Header: "Trial", Kind: Bool}, {Header: "Last Boot Reason"},
		{Header: "Refused Version"}, {Header: "Refused Reason"}, {Header: "Clock"}, {Header: "Box Started", Kind: Time}}},
	{What: "tenant members", Columns: []Column{
		{Header: "Device I/F"}, {Header: "VLAN ID", Kind: Number}, {Header: "Network I/F"},
		{Header: "Network I/F IP", Kind: List}, {Header: "Source IP Prefix"}, {Header: "Tenant"},
		{Header: "Source Type"}, {Header: "Neighborhood", Detail: true}}},
	{What: "udp-transform", Columns: []Column{
		{Header: "Router Name"}, {Header: "Node Name"}, {Header: "Peer"}, {Header: "Status"},
		{Header: "Reason(s)"}, {Header: "Network Interface", Extra: true}, {Header: "Destination", Extra: true}}},
	{What: "waypoints", Columns: []Column{
		{Header: "Peer"}, {Header: "Network Interface"}, {Header: "Destination"}, {Header: "In Use", Kind: Number},
		{Header: "Resting", Kind: Number}, {Header: "Free", Kind: Number}, {Header: "Highest", Kind: Number},
		{Header: "Refused", Kind: Number}, {Header: "Maximum", Kind: Number},
		{Header: "Pairs", Kind: Number, Detail: true}, {Header: "Forgotten", Kind: Number, Detail: true},
		{Header: "Local Ports", Detail: true}, {Header: "Peer Ports", Detail: true}}},
}

var alarmColumns = []Column{
	{Header: "ID"}, {Header: "Time", Kind: Time}, {Header: "Severity"}, {Header: "Source"},
	{Header: "Category"}, {Header: "Message"},
}

var eventColumns = []Column{
	{Header: "Router"}, {Header: "Node"}, {Header: "Event Type"}, {Header: "Time", Kind: Time},
	{Header: "Severity"}, {Header: "Source"}, {Header: "Category"}, {Header: "Message"},
	{Header: "Shelved Status"}, {Header: "ID", Extra: true}, {Header: "Kind", Extra: true},
	{Header: "Process", Extra: true}, {Header: "Alarm", Extra: true},
}

var sessionColumns = []Column{
	{Header: "Session Id"}, {Header: "Dir"}, {Header: "Service"}, {Header: "Tenant"}, {Header: "Dev Name"},
	{Header: "Intf Name"}, {Header: "VLAN", Kind: Number}, {Header: "Proto"}, {Header: "Src IP"},
	{Header: "Src Port", Kind: Number}, {Header: "Dest IP"}, {Header: "Dest Port", Kind: Number},
	{Header: "NAT IP"}, {Header: "NAT Port", Kind: Number}, {Header: "Payload Encrypted", Kind: Bool},
	{Header: "Timeout", Kind: Number}, {Header: "Uptime", Kind: Clock},
	{Header: "Packets", Kind: Number, Extra: true}, {Header: "Bytes", Kind: Number, Extra: true},
	{Header: "Cipher", Extra: true}, {Header: "HMAC Mode", Extra: true},
	{Header: "Peer", Extra: true}, {Header: "Path", Extra: true},
	{Header: "Out Src IP", Extra: true}, {Header: "Out Src Port", Kind: Number, Extra: true},
	{Header: "Out Dest IP", Extra: true}, {Header: "Out Dest Port", Kind: Number, Extra: true},
	{Header: "Established", Kind: Bool, Extra: true}, {Header: "Metadata", Kind: Bool, Extra: true},
	{Header: "Recovered", Kind: Bool, Extra: true},
}

var dhcpColumns = []Column{
	{Header: "Router"}, {Header: "Node"}, {Header: "Device Interface"}, {Header: "Network Interface"},
	{Header: "Dhcp State"}, {Header: "Address"}, {Header: "Prefix Length", Kind: Number}, {Header: "Gateway"},
	{Header: "State Machine State", Detail: true}, {Header: "Lease Start Time", Kind: Time, Detail: true},
	{Header: "Lease Renewal Time", Kind: Time, Detail: true}, {Header: "Lease Rebinding Time", Kind: Time, Detail: true},
	{Header: "Lease Expiration Time", Kind: Time, Detail: true}, {Header: "Learned MTU", Kind: Number, Detail: true},
	{Header: "Server Address", Detail: true}, {Header: "Dns Server Address", Kind: List, Detail: true},
	{Header: "Conductor", Kind: List, Detail: true, Extra: true},
	{Header: "Conductor Host Key", Detail: true, Extra: true},
}

var peerColumns = []Column{
	{Header: "Peer"}, {Header: "Node"}, {Header: "Network Interface"}, {Header: "Destination"},
	{Header: "Status"}, {Header: "Hostname", Empty: "unavailable"},
	{Header: "Path MTU", Kind: Number, Empty: "unavailable"}, {Header: "Reason", Extra: true},
	{Header: "Latency(ms)", Kind: Decimal, Detail: true}, {Header: "Jitter(ms)", Kind: Decimal, Detail: true},
	{Header: "Loss(%)", Kind: Decimal, Detail: true}, {Header: "MOS", Kind: Decimal, Detail: true},
	{Header: "Uptime", Kind: Span, Detail: true},
	{Header: "Local", Detail: true, Extra: true}, {Header: "Cost", Kind: Number, Detail: true, Extra: true},
	{Header: "Vector", Kind: List, Detail: true, Extra: true},
	{Header: "Security", Detail: true, Extra: true},
	{Header: "Generated", Kind: Bool, Detail: true, Extra: true},
	{Header: "Neighborhood", Detail: true, Extra: true},
	{Header: "Origin", Kind: Object, Detail: true, Extra: true},
}

var bfdColumns = []Column{
	{Header: "Peer"}, {Header: "Node"}, {Header: "Network Interface"}, {Header: "Destination"},
	{Header: "Port", Kind: Number}, {Header: "Status"}, {Header: "State"}, {Header: "Remote State"},
	{Header: "Tx Interval(ms)", Kind: Decimal}, {Header: "Detection Time(ms)", Kind: Decimal},
	{Header: "Multiplier", Kind: Number}, {Header: "Link Up", Kind: Number}, {Header: "Link Down", Kind: Number},
	{Header: "Diagnostic", Kind: Number, Detail: true}, {Header: "Remote Diagnostic", Kind: Number, Detail: true},
	{Header: "Discriminator", Detail: true}, {Header: "Remote Discriminator", Detail: true},
	{Header: "Local", Detail: true}, {Header: "Local NAT", Detail: true},
	{Header: "NAT Changes", Kind: Number, Detail: true}, {Header: "Hold Down(s)", Kind: Decimal, Detail: true},
	{Header: "Endpoints", Kind: Number, Detail: true}, {Header: "Endpoint Changes", Kind: Number, Detail: true},
	{Header: "Endpoints Refused", Kind: Number, Detail: true},
	{Header: "Clock Offset(ms)", Kind: Number, Detail: true},
	{Header: "Sent", Kind: Number, Detail: true}, {Header: "Sent Bytes", Kind: Number, Detail: true},
	{Header: "Demand", Kind: Bool, Detail: true}, {Header: "NAT Lifetime(s)", Kind: Decimal, Detail: true},
	{Header: "NAT Keep Alive(s)", Kind: Decimal, Detail: true},
}

var deviceColumns = []Column{
	{Header: "Name"}, {Header: "Type"}, {Header: "Forwarding", Kind: Bool}, {Header: "Mode"},
	{Header: "PCI Address"}, {Header: "MAC Address"}, {Header: "Admin Status"}, {Header: "Operational Status"},
	{Header: "Provisional Status"}, {Header: "Redundancy Status"}, {Header: "Speed", Kind: Number},
	{Header: "Duplex"}, {Header: "in-octets", Kind: Number}, {Header: "in-unicast-pkts", Kind: Number},
	{Header: "in-errors", Kind: Number}, {Header: "out-octets", Kind: Number},
	{Header: "out-unicast-pkts", Kind: Number}, {Header: "out-errors", Kind: Number},
	{Header: "Plugin Info"}, {Header: "Target Interface"}, {Header: "MTU", Kind: Number},
	{Header: "Reason", Extra: true},
	{Header: "Connection Status", Optional: true}, {Header: "Session Interface", Optional: true},
	{Header: "PPP State", Optional: true},
	{Header: "Session Id", Kind: Number, Optional: true}, {Header: "Access Concentrator", Optional: true},
	{Header: "Local Address", Optional: true}, {Header: "Remote Address", Optional: true},
	{Header: "Session MTU", Kind: Number, Optional: true}, {Header: "Dns Server Address", Kind: List, Optional: true},
	{Header: "attempt", Kind: Number, Optional: true}, {Header: "last-failure-time", Kind: Time, Optional: true},
	{Header: "next-retry-time", Kind: Time, Optional: true}, {Header: "pppd-exit-code", Kind: Number, Optional: true},
	{Header: "pppd-exit-reason", Optional: true},
}
