package fast

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"

	"waymark/svr/packet"
)

// MaxRanges is how many extra port ranges an own address may have.
const MaxRanges = 4

// PortRange is an inclusive range of ports.
type PortRange struct{ First, Last uint16 }

// Own says which ports of an own address are the lane's; the others are the
// host's (docs/wire.md 8).
type Own struct {
	Waypoint bool        // 16385-65533
	Breakout bool        // 2048-9999, and answers to echoes
	Ranges   []PortRange // more of them, at most MaxRanges
}

// SetOwn makes addr an own address, or changes its ports.
func (l *Lane) SetOwn(addr netip.Addr, o Own) error {
	if len(o.Ranges) > MaxRanges {
		return fmt.Errorf("set own address %s: %d port ranges, %d possible: %w", addr, len(o.Ranges), MaxRanges, ErrConfig)
	}
	v := ownValue{Ranges: uint16(len(o.Ranges))}
	copy(v.Ports[:], o.Ranges)
	if o.Waypoint {
		v.Flags |= ownWaypoint
	}
	if o.Breakout {
		v.Flags |= ownBreakout
	}
	k := makeOwnKey(addr)
	if err := l.maps[mapOwn].Put(&k, &v); err != nil {
		return fmt.Errorf("set own address %s: %w", addr, err)
	}
	return nil
}

// RemoveOwn makes addr a foreign address. One that is none is fine.
func (l *Lane) RemoveOwn(addr netip.Addr) error {
	k := makeOwnKey(addr)
	if err := l.maps[mapOwn].Delete(&k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("remove own address %s: %w", addr, err)
	}
	return nil
}

// OwnAddresses returns every own address: after adoption, those to compare with.
func (l *Lane) OwnAddresses() ([]netip.Addr, error) {
	var list []netip.Addr
	var k ownKey
	var v ownValue
	it := l.maps[mapOwn].Iterate()
	for it.Next(&k, &v) {
		list = append(list, packet.ToAddr(k.Addr, uint8(k.Family)))
	}
	return list, it.Err()
}

func makeOwnKey(addr netip.Addr) ownKey {
	b, family := packet.FromAddr(addr)
	return ownKey{Addr: b, Family: uint32(family)}
}

// SetVLAN names the network-interface of a tag on a device. With station Go
// answers everything on it (ARP, neighbour discovery, echo), the kernel nothing.
func (l *Lane) SetVLAN(index int, vlan, netif uint16, station bool) error {
	v := vlanValue{Netif: netif}
	if station {
		v.Flags = vlanStation
	}
	if err := l.maps[mapVLANs].Put(&vlanKey{uint32(index), uint32(vlan)}, &v); err != nil {
		return fmt.Errorf("set vlan %d of interface %d: %w", vlan, index, err)
	}
	return nil
}

// RemoveVLAN forgets a tag; its packets are the host's then.
func (l *Lane) RemoveVLAN(index int, vlan uint16) error {
	err := l.maps[mapVLANs].Delete(&vlanKey{uint32(index), uint32(vlan)})
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("remove vlan %d of interface %d: %w", vlan, index, err)
	}
	return nil
}
