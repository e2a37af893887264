package policy

import (
	"fmt"
	"slices"

	"waymark/mgmt/config"
)

// addPaths makes one path of every adjacency of the node.
func (b *builder) addPaths() error {
	b.t.peerByName = map[string]PeerID{}
	list, faults := b.a.Adjacencies(b.router.Name, b.node.Name)
	if faults.Failed() {
		return fmt.Errorf("generate adjacencies: %s", faults)
	}
	for i := range list {
		if len(b.t.Paths) >= maxIDs {
			return fmt.Errorf("add path: %w", ErrTooMany)
		}
		if err := b.addPath(&list[i]); err != nil {
			return fmt.Errorf("add path to %s: %w", list[i].PeerRouter, err)
		}
	}
	return nil
}

func (b *builder) addPath(a *config.Adjacency) error {
	ifc, ok := b.ifByName[a.LocalInterface]
	if !ok {
		return fmt.Errorf("find network-interface %q: %w", a.LocalInterface, ErrReference)
	}
	send, err := b.securityID(a.SendPolicy)
	if err != nil {
		return err
	}
	p := Path{ID: PathID(len(b.t.Paths)), Peer: b.peerID(a.PeerRouter), If: ifc,
		Name:  PathName(a.LocalInterface, a.LocalAddress, a.PeerAddress),
		Local: a.LocalAddress, Remote: a.PeerAddress, RemoteHostname: a.PeerHostname,
		PeerPorts: portRanges(a.PortRanges), LocalPorts: portRanges(a.OwnPortRanges),
		MaxWayPoints: a.MaxWayPoints, Vectors: slices.Clone(a.Vectors), Cost: a.Cost,
		AlwaysTransform: a.UDPTransform.Always, SendPolicy: send,
		OutboundOnly: a.OwnConnectivity == config.OutboundOnly,
		PeerOutbound: a.Connectivity == config.OutboundOnly,
		MTUDiscovery: a.PathMTU.Enabled, ICMPErrors: a.EncapsulateICMPErrors,
		Padding: a.PostEncryptionPadding, Adjacency: *a}
	b.t.Paths = append(b.t.Paths, p)
	peer := &b.t.Peers[p.Peer]
	peer.Paths = append(peer.Paths, p.ID)
	return nil
}

// peerID returns the peer of a router name and makes it on first use.
func (b *builder) peerID(name string) PeerID {
	if id, ok := b.t.peerByName[name]; ok {
		return id
	}
	id := PeerID(len(b.t.Peers))
	b.t.peerByName[name] = id
	b.t.Peers = append(b.t.Peers, Peer{ID: id, Name: name})
	return id
}
