// Package guard keeps packets that are the lane's away from the kernel's own IP
// stack, with one nftables table per family named "waymark-OWNER".
//
// At netdev ingress of each forwarding device: packets to a guarded port of an
// own address are dropped (no RST, no ICMP), other packets to own addresses,
// multicast and ARP pass, everything else is transit and dropped. ETH_P_ALL
// taps run before netdev ingress, so the lane sees it all. At inet input the
// guarded ports are dropped again, for what was joined from fragments.
//
// UDP port 68 is dropped at netdev ingress of devices without a DHCP client.
package guard
