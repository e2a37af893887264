package agent

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/client"
	"waymark/net/resolve"
)

// maxConductors is how many conductors a box has at once.
const maxConductors = 2

// place is where a conductor is, and how the box knows.
type place struct {
	Host string `json:"host"`          // HOST or HOST:PORT
	Key  []byte `json:"key,omitempty"` // SHA-256 of the host key it must have; nil: nobody said
	From string `json:"from"`          // who said so
	// Sure: whoever set up the box said so, and not the network it happens to be in.
	Sure bool `json:"sure"`
}

// onboarding is the file that a box is set up with (keys of the vendor's
// onboarding-config.json, and the key of the conductor).
type onboarding struct {
	Mode  string   `json:"mode"`
	Hosts []string `json:"conductor-hosts"`
	Key   string   `json:"conductor-key"` // hexadecimal SHA-256 of the host key
}

// OnboardingFile is its name in the folder config of the state directory.
const OnboardingFile = "onboarding-config.json"

// maxSmall bounds the small files that say where a conductor is, in bytes.
const maxSmall = 64 << 10

// places are the conductors of the box: what the first source says that says
// something. wans is what the networks told; nil: nothing is known of them.
func (s *Settings) places(wans *resolve.File) []place {
	for _, from := range []func() []place{
		func() []place { return hosts("flag", true, nil, s.Conductors) },
		func() []place { return hosts("configuration", true, nil, s.configured()) },
		s.onboarded,
		func() []place {
			return hosts("kernel argument", true, nil, strings.Split(kernelArgument(text(os.DirFS(s.Root), "proc/cmdline"), "waymark.conductor"), ","))
		},
		func() []place { return byDHCP(wans) },
		func() []place { return byDomain(wans) },
	} {
		if list := from(); len(list) > 0 {
			return list
		}
	}
	return nil
}

// hosts makes places of names; those that cannot be any are left out.
func hosts(from string, sure bool, key []byte, names []string) (list []place) {
	for _, h := range names {
		h = strings.TrimSpace(h)
		if !validHost(h) || len(list) == maxConductors {
			continue
		}
		list = append(list, place{Host: h, Key: key, From: from, Sure: sure})
	}
	return list
}

// validHost tells whether h can be HOST or HOST:PORT.
func validHost(h string) bool {
	if host, port, err := net.SplitHostPort(h); err == nil {
		if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
			return false
		}
		h = host
	}
	if h == "" || len(h) > 255 {
		return false
	}
	if _, err := netip.ParseAddr(h); err == nil {
		return true
	}
	return !strings.ContainsFunc(h, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	})
}

// small reads a small file; nil if it is not there or not small.
func small(name string, limit int64) []byte {
	info, err := os.Stat(name)
	if err != nil || info.Size() > limit {
		return nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return b
}

// onboarded is what the onboarding file says. One that is wrong says nothing, as
// one that is not there: Run tells why.
func (s *Settings) onboarded() []place {
	list, _ := s.readOnboarding()
	return list
}

// readOnboarding reads the onboarding file. A fingerprint that is none spoils it: it
// was meant.
func (s *Settings) readOnboarding() ([]place, error) {
	name := filepath.Join(s.StateDir, "config", OnboardingFile)
	b := small(name, maxSmall)
	if b == nil {
		return nil, nil
	}
	var o onboarding
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if o.Mode != "" && o.Mode != "conductor-managed" {
		return nil, fmt.Errorf("read %s: mode %q is not conductor-managed", name, o.Mode)
	}
	key, err := hex.DecodeString(strings.ReplaceAll(o.Key, ":", ""))
	if err != nil || len(key) != 0 && len(key) != keySum {
		return nil, fmt.Errorf("read %s: conductor-key %q is no SHA-256 in hexadecimal", name, o.Key)
	}
	if len(key) == 0 {
		key = nil
	}
	list := hosts("onboarding file", true, key, o.Hosts)
	if len(list) == 0 {
		return nil, fmt.Errorf("read %s: no name or address of a conductor among conductor-hosts %q", name, o.Hosts)
	}
	return list, nil
}

// keySum is the length of a fingerprint in bytes.
const keySum = 32

// configured are the conductors that the running configuration names: those of
// the router, else those of the authority.
func (s *Settings) configured() []string {
	router, _ := s.routerName()
	b := small(s.ConfigFile, uplink.MaxUnpacked)
	var file struct {
		Authority struct {
			Conductors []string `json:"conductor-address"`
			Routers    []struct {
				Name       string   `json:"name"`
				Conductors []string `json:"conductor-address"`
			} `json:"router"`
		} `json:"authority"`
	}
	if b == nil || json.Unmarshal(b, &file) != nil {
		return nil
	}
	for _, r := range file.Authority.Routers {
		if r.Name == router && len(r.Conductors) > 0 {
			return r.Conductors
		}
	}
	return file.Authority.Conductors
}

// routerName reads the file that says which router of the configuration this
// box is.
func (s *Settings) routerName() (router, node string) {
	words := strings.Fields(string(small(s.RouterFile, maxSmall)))
	if len(words) > 1 {
		node = words[1]
	}
	if len(words) > 0 {
		router = words[0]
	}
	return router, node
}

// byDHCP are the conductors that the networks name, of the live one first.
func byDHCP(wans *resolve.File) (list []place) {
	if wans == nil {
		return nil
	}
	for i := range wans.WANs {
		w := &wans.WANs[i]
		for _, p := range hosts("DHCP on "+w.Interface, false, w.ConductorKey, w.Conductors) {
			if len(list) < maxConductors {
				list = append(list, p)
			}
		}
	}
	return list
}

// byDomain is conductor. in the domain of a network.
func byDomain(wans *resolve.File) (list []place) {
	if wans == nil {
		return nil
	}
	for i := range wans.WANs {
		if d := strings.TrimSuffix(wans.WANs[i].Domain, "."); d != "" {
			list = append(list, hosts("DNS in "+d, false, nil, []string{"conductor." + d})...)
		}
	}
	return list[:min(len(list), 1)]
}

// dial connects to a conductor. Names are asked of the networks' resolvers, over
// the WAN each of them belongs to; without any, of the machine's.
func (s *Settings) dial(ctx context.Context, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := client.Dialer()
	if _, err := netip.ParseAddr(host); err == nil {
		return d.DialContext(ctx, "tcp", address)
	}
	wans, err := resolve.Read(filepath.Join(s.RunDir, resolveFile))
	if err != nil || len(wans.Upstreams()) == 0 {
		return d.DialContext(ctx, "tcp", address)
	}
	c := resolve.NewClient()
	c.Use(wans.Upstreams())
	addrs, err := c.Lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	var last error
	for _, a := range addrs {
		conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

// resolveFile is where the router tells what the networks told.
const resolveFile = "resolv.json"
