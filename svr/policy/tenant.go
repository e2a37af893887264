package policy

// Steps of the source table.
const (
	stepTenantPrefix = iota // tenant-prefixes of the interface
	stepMember              // tenant members of its neighborhoods
	sourceKinds      = 2 * (stepMember + 1)
)

// sourceTable finds tenants by source prefix; view = IfID, value = TenantID.
type sourceTable struct{ lpm }

// TenantByName returns the tenant of a name as metadata carries it; false if
// this configuration has none of that name. It is the first of the four steps
// of tenancy and wins over ClassifyTenant.
func (t *Tables) TenantByName(name []byte) (TenantID, bool) {
	id, ok := t.tenantByName[string(name)]
	return id, ok
}

// ServiceByName returns the service of a name as metadata carries it; false if
// none of that name applies to this router.
func (t *Tables) ServiceByName(name []byte) (ServiceID, bool) {
	id, ok := t.serviceByName[string(name)]
	return id, ok
}

// PeerByName returns the peer of a router name as metadata carries it.
func (t *Tables) PeerByName(name []byte) (PeerID, bool) {
	id, ok := t.peerByName[string(name)]
	return id, ok
}

// ClassifyTenant returns the tenant of a packet without metadata: that of the
// interface (its tenant-prefixes before its tenant), then that of a member
// prefix of one of its neighborhoods, then Global. src is as in packet.Tuple.
func (t *Tables) ClassifyTenant(ifc IfID, src [16]byte, family uint8) TenantID {
	if int(ifc) >= len(t.Interfaces) {
		return Global
	}
	if id, _, ok := t.sources.longest(uint16(ifc), kindOf(stepTenantPrefix, family), src); ok {
		return TenantID(id)
	}
	if id := t.Interfaces[ifc].Tenant; id != NoTenant {
		return id
	}
	if id, _, ok := t.sources.longest(uint16(ifc), kindOf(stepMember, family), src); ok {
		return TenantID(id)
	}
	return Global
}
