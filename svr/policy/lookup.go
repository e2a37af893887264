package policy

import (
	"time"

	"waymark/mgmt/config"
	"waymark/svr/packet"
)

func Build(a *config.Authority, router, node string) (*Tables, error) { return &Tables{}, nil }
func (t *Tables) Lookup(tenant TenantID, tuple *packet.Tuple) (ServiceID, Verdict) {
	return NoService, NoRoute
}
func (t *Tables) TenantByName(name []byte) (TenantID, bool)   { return 0, false }
func (t *Tables) ServiceByName(name []byte) (ServiceID, bool) { return 0, false }
func (t *Tables) PeerByName(name []byte) (PeerID, bool)       { return 0, false }

func (t *Tables) ClassifyTenant(ifc IfID, src [16]byte, family uint8) TenantID { return 0 }

func (t *Tables) Timeout(s ServiceID, proto uint8, port uint16) (idle, initial time.Duration) {
	return 0, 0
}

type (
	fib          struct{}
	sourceTable  struct{}
	timeoutTable struct{}
	candidate    struct{}
)
