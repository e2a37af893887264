package host

import (
	"testing"

	"waymark/svr/policy"
)

// A client stays the same when a configuration gives its interface another name;
// each VLAN of a device has a client of its own.
func TestClientIdentity(t *testing.T) {
	seen := map[uint32]string{}
	for _, c := range []struct {
		device string
		vlan   uint16
		want   uint32
	}{{"wan0", 0, 0x472ba623}, {"wan0", 35, 0}, {"wan1", 0, 0}, {"wan1", 35, 0}} {
		id := iaid(&policy.Interface{Target: c.device, VLAN: c.vlan})
		if c.want != 0 && id != c.want {
			t.Errorf("%s.%d: %#x, want %#x: boxes become strangers to their providers", c.device, c.vlan, id, c.want)
		}
		if seen[id] != "" {
			t.Errorf("%s.%d has the number of %s", c.device, c.vlan, seen[id])
		}
		seen[id] = c.device
	}
}
