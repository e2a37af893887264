package ambient

// The channels of a box's management.
const (
	SSH  = "ssh"  // the connection to a conductor
	Salt = "salt" // to a Salt master, inside of that connection or beside it
)

// What management costs, in bytes of IPv4 with TCP's time stamps, as measured
// over loopback (mgmt/uplink/client TestIdle) and in namespaces (cmd/lab/lte
// TestManagement); IPv6 adds 20 to each packet.
const (
	keepalivePackets = 3   // question, answer, acknowledgement
	keepaliveBytes   = 244 // of the three
	greetingPackets  = 46  // of a new connection: SSH's handshake, channels, first reports
	greetingBytes    = 9800
	claimPackets     = 34 // of a minion inside of it: claim, pillar, subscription, start
	claimBytes       = 13200
)

// Management is what an idle connection to one conductor costs.
type Management struct {
	Keepalive float64 // seconds between keepalives
	Connects  float64 // new connections of a day
	NoSalt    bool
}

// Costs returns what each channel costs.
func (m Management) Costs() map[string]Cost {
	asks := daily(m.Keepalive)
	ssh := Cost{Daily: keepalivePackets*asks + greetingPackets*m.Connects}
	ssh.Bytes = (keepaliveBytes*asks + greetingBytes*m.Connects) / max(ssh.Daily, 1)
	costs := map[string]Cost{SSH: ssh}
	if !m.NoSalt {
		costs[Salt] = Cost{Daily: claimPackets * m.Connects, Bytes: claimBytes / claimPackets}
	}
	return costs
}

// VendorManagement is what the vendor's documents tell of an idle connection to
// one conductor, payload alone: asset keepalives of 514 and 84 bytes every second
// (Salt), keepalives of SSH of 84 and 48 bytes every so many seconds (5 by
// default, 10 at most), and those of the tunnels for shell and logs, each 104
// bytes every 20 s and every 5 s.
func VendorManagement(keepalive float64) map[string]Cost {
	const asset, tunnel = 514 + 84, 104
	tunnels := 2 * (daily(20) + daily(5))
	ssh := Cost{Daily: 2*daily(keepalive) + tunnels}
	ssh.Bytes = ((84+48)*daily(keepalive) + tunnel*tunnels) / ssh.Daily
	return map[string]Cost{Salt: {Daily: 2 * daily(1), Bytes: asset / 2.0}, SSH: ssh}
}
