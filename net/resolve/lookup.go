package resolve

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// ErrNoAddress: the name has none.
var ErrNoAddress = errors.New("no address")

// Lookup returns the addresses of a host name, IPv4 first. An address as text is
// its own.
func (c *Client) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	name, err := dnsmessage.NewName(strings.TrimSuffix(host, ".") + ".")
	if err != nil {
		return nil, fmt.Errorf("look up %q: %w", host, err)
	}
	var list []netip.Addr
	last := error(ErrNoAddress)
	for _, t := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		m, err := c.Ask(ctx, Query{Question: dnsmessage.Question{Name: name, Type: t, Class: dnsmessage.ClassINET}})
		if err != nil {
			last = err
			continue
		}
		list = append(list, addresses(m)...)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("look up %q: %w", host, last)
	}
	return list, nil
}

func addresses(m *dnsmessage.Message) (list []netip.Addr) {
	for _, r := range m.Answers {
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			list = append(list, netip.AddrFrom4(b.A))
		case *dnsmessage.AAAAResource:
			list = append(list, netip.AddrFrom16(b.AAAA))
		}
	}
	return list
}
