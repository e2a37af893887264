package world

import (
	"fmt"
	"path/filepath"
	"time"
)

// LTERange is what the LTE provider's DHCP server gives out, first and last.
var LTERange = [2]string{"100.64.0.20", "100.64.0.29"}

// ServeLTE starts the LTE provider's DHCP server, dnsmasq, towards the branch.
// Options.NoLTE goes with it: an address set by hand keeps the router's own
// client away.
func (w *World) ServeLTE() (*Proc, error) {
	p, err := w.Start(ISPLTE, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root",
		"--interface=branch", "--bind-dynamic", "--dhcp-authoritative", "--no-ping", "--log-facility=-",
		"--dhcp-leasefile="+filepath.Join(w.Dir, "lte-leases"),
		fmt.Sprintf("--dhcp-range=%s,%s,255.255.255.0,1h", LTERange[0], LTERange[1]),
		"--dhcp-option=option:dns-server,9.9.9.9", "--dhcp-option=option:mtu,1428")
	if err != nil {
		return nil, err
	}
	if err := p.WaitOutput("DHCP, IP range", 10*time.Second); err != nil {
		return nil, fmt.Errorf("start DHCP server: %w", err)
	}
	return p, nil
}
