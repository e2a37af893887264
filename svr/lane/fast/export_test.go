package fast

import "github.com/cilium/ebpf"

// Names of the programs, for tests that run them without a device.
const (
	ProgTC  = progTC
	ProgXDP = progXDP
)

// Load loads a program as Attach would for c.
func (l *Lane) Load(name string, c PortConfig) (*ebpf.Program, error) {
	consts, err := l.constantsOf(&c)
	if err != nil {
		return nil, err
	}
	return l.load(name, consts)
}
