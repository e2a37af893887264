package resolve

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"waymark/net/keep"
)

// File is RUN/resolv.json: the WANs that are up, the live one first.
type File struct {
	WANs []WAN `json:"wans"`
}

// WAN is one way out and what its network told.
type WAN struct {
	Interface string       `json:"interface"`
	Device    string       `json:"device"`    // Linux interface
	Addresses []netip.Addr `json:"addresses"` // sources of packets that leave by it
	Metered   bool         `json:"metered"`
	// NATLifetime is the longest silence, in seconds, that a binding of the NAT
	// on this way is known to survive; 0: nobody knows.
	NATLifetime int          `json:"nat-lifetime,omitempty"`
	Resolvers   []netip.Addr `json:"resolvers"`
	Domain      string       `json:"domain,omitempty"`
	TimeServers []netip.Addr `json:"time-servers"`
	// Conductors is where the network says that the box is managed from, and
	// ConductorKey the SHA-256 of the host key they must have.
	Conductors   []string `json:"conductors,omitempty"`
	ConductorKey []byte   `json:"conductor-key,omitempty"`
}

// Upstream is one resolver and the address to ask it from.
type Upstream struct {
	Server netip.Addr
	Source netip.Addr // zero: the kernel's choice
	WAN    string     // name of the interface
}

// Upstreams are the resolvers of all WANs in order, each of them asked over its
// own WAN.
func (f *File) Upstreams() (list []Upstream) {
	for i := range f.WANs {
		w := &f.WANs[i]
		for _, s := range w.Resolvers {
			list = append(list, Upstream{Server: s, Source: w.source(s), WAN: w.Interface})
		}
	}
	return list
}

// source is the WAN's first address of a server's family.
func (w *WAN) source(server netip.Addr) netip.Addr {
	for _, a := range w.Addresses {
		if a.Is4() == server.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// maxServers is how many lines of a resolv.conf programs read.
const maxServers = 3

// Conf is the live WAN's part as /etc/resolv.conf, for programs that read that.
func (f *File) Conf() string {
	var b strings.Builder
	b.WriteString("# of the live WAN, by waymark\n")
	if len(f.WANs) == 0 {
		return b.String()
	}
	w := &f.WANs[0]
	if w.Domain != "" {
		b.WriteString("search " + w.Domain + "\n")
	}
	for _, s := range w.Resolvers[:min(maxServers, len(w.Resolvers))] {
		b.WriteString("nameserver " + s.String() + "\n")
	}
	return b.String()
}

// Write replaces the file at path, and at conf its form for other programs.
func (f *File) Write(path, conf string) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("write resolvers: %w", err)
	}
	// Nothing of it outlives the processes of a boot.
	if err := keep.Exchange(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write resolvers: %w", err)
	}
	if err := keep.Exchange(conf, []byte(f.Conf()), 0o644); err != nil {
		return fmt.Errorf("write resolvers: %w", err)
	}
	return nil
}

// maxFile bounds what Read takes, in bytes.
const maxFile = 64 << 10

// Read reads the file at path.
func Read(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read resolvers: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("read resolvers: %s has %d bytes", path, info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read resolvers: %w", err)
	}
	var f File
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("read resolvers %s: %w", path, err)
	}
	return &f, nil
}
