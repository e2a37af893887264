package world

import (
	"fmt"
	"path/filepath"
)

// LTERange is what the LTE provider's DHCP server gives out, first and last.
var LTERange = [2]string{"100.64.0.20", "100.64.0.29"}

// ServeLTE starts the LTE provider's DHCP server, dnsmasq, towards the branch.
// Options.NoLTE goes with it: an address set by hand keeps the router's own
// client away.
func (w *World) ServeLTE() (*Proc, error) { return w.ServeDHCP(ISPLTE, LTERange, LTEOptions...) }

// LTEOptions are what the LTE provider tells besides addresses, as dnsmasq takes it.
var LTEOptions = []string{"--dhcp-option=option:dns-server,9.9.9.9", "--dhcp-option=option:mtu,1428"}

// ServeDHCP starts a DHCP server of a provider, dnsmasq, towards the branch. It
// gives out addresses of a /24, first and last, with further options of dnsmasq.
// One that is started again knows the leases of before, and refuses those that it
// would not give.
func (w *World) ServeDHCP(isp string, addrs [2]string, options ...string) (*Proc, error) {
	p, err := w.Start(isp, append([]string{"dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root",
		"--interface=branch", "--bind-dynamic", "--dhcp-authoritative", "--no-ping", "--log-facility=-",
		"--dhcp-leasefile=" + filepath.Join(w.Dir, isp+"-leases"),
		fmt.Sprintf("--dhcp-range=%s,%s,255.255.255.0,1h", addrs[0], addrs[1])}, options...)...)
	if err != nil {
		return nil, err
	}
	if err := p.WaitOutput("DHCP, IP range", readyLimit); err != nil {
		return nil, fmt.Errorf("start DHCP server: %w", err)
	}
	return p, nil
}
