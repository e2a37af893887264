package rival

import (
	"waymark/bench/field"
	"waymark/bench/probe"
)

// Kernel makes the routers of a line forward in the kernel.
func Kernel(l *field.Line) error {
	if err := l.Addresses(); err != nil {
		return err
	}
	return l.Forward()
}

// NAT adds to a line of one router what a session router does, by nftables: new
// destination and new source for every flow, connection tracking for both.
func NAT(l *field.Line) error {
	if err := Kernel(l); err != nil {
		return err
	}
	const rules = `table ip nat {
	chain pre {
		type nat hook prerouting priority dstnat
		iifname "lan0" ip daddr 10.2.0.2 udp dport 5001 dnat to 10.2.0.2:7000
	}
	chain post {
		type nat hook postrouting priority srcnat
		oifname "wan0" meta l4proto { tcp, udp } snat to 10.2.0.1:1024-65000
	}
	chain forward {
		type filter hook forward priority 0; policy accept
		ct state established,related accept
	}
}
`
	_, err := l.World.Exec(l.West, "sh", "-c", "nft -f - <<'END'\n"+rules+"END\n")
	return err
}

// Redirect makes the router of a line a bare XDP redirect from LAN to WAN.
func Redirect(l *field.Line) (s *probe.Sink, err error) {
	err = l.In(l.West, func() error {
		s, err = probe.Redirect(field.LAN, field.WAN)
		return err
	})
	return s, err
}
