package capture

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
)

// ErrFilter: words that are no filter.
var ErrFilter = errors.New("wrong filter")

// maxTerms bounds a filter.
const maxTerms = 16

// Filter says which frames count; all of its terms have to fit. The zero value
// takes every frame.
type Filter struct {
	terms []func(*summary) bool
}

// Terms explains the words of a filter.
const Terms = "arp, ip, ip6, icmp, tcp, udp, vlan N, host ADDRESS, net PREFIX, port N, each with `not` before it or not"

// kinds are the terms of one word.
var kinds = map[string]func(*summary) bool{
	"arp":  func(s *summary) bool { return s.kind == "ARP" },
	"ip":   func(s *summary) bool { return s.kind == "IPv4" },
	"ip6":  func(s *summary) bool { return s.kind == "IPv6" },
	"icmp": func(s *summary) bool { return s.proto == protoICMP || s.proto == protoICMP6 },
	"tcp":  func(s *summary) bool { return s.proto == protoTCP },
	"udp":  func(s *summary) bool { return s.proto == protoUDP },
}

// ParseFilter reads the words of a filter; "and" may stand between terms.
func ParseFilter(words []string) (*Filter, error) {
	f := &Filter{}
	for len(words) > 0 {
		if words[0] == "and" {
			words = words[1:]
			continue
		}
		not := words[0] == "not"
		if not {
			words = words[1:]
		}
		term, used, err := parseTerm(words)
		if err != nil {
			return nil, err
		}
		if f.terms = append(f.terms, func(s *summary) bool { return term(s) != not }); len(f.terms) > maxTerms {
			return nil, fmt.Errorf("%w: more than %d terms", ErrFilter, maxTerms)
		}
		words = words[used:]
	}
	return f, nil
}

func parseTerm(words []string) (term func(*summary) bool, used int, err error) {
	if len(words) == 0 {
		return nil, 0, fmt.Errorf("%w: a term is missing: %s", ErrFilter, Terms)
	}
	if k := kinds[words[0]]; k != nil {
		return k, 1, nil
	}
	if len(words) < 2 {
		return nil, 0, fmt.Errorf("%w: %q: known are %s", ErrFilter, words[0], Terms)
	}
	switch value := words[1]; words[0] {
	case "host":
		var a netip.Addr
		if a, err = netip.ParseAddr(value); err == nil {
			term = func(s *summary) bool { return s.src == a || s.dst == a }
		}
	case "net":
		var p netip.Prefix
		if p, err = netip.ParsePrefix(value); err == nil {
			term = func(s *summary) bool { return p.Contains(s.src) || p.Contains(s.dst) }
		}
	case "port":
		var n uint64
		if n, err = strconv.ParseUint(value, 10, 16); err == nil {
			term = func(s *summary) bool { return s.ports && (s.sport == uint16(n) || s.dport == uint16(n)) }
		}
	case "vlan":
		var n uint64
		if n, err = strconv.ParseUint(value, 10, 12); err == nil {
			term = func(s *summary) bool { return s.vlan == int(n) }
		}
	default:
		return nil, 0, fmt.Errorf("%w: %q: known are %s", ErrFilter, words[0], Terms)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %s: %w", ErrFilter, words[0], err)
	}
	return term, 2, nil
}

// Fits tells whether a frame counts.
func (f *Filter) Fits(frame []byte) bool {
	if len(f.terms) == 0 {
		return true
	}
	s := look(frame)
	for _, t := range f.terms {
		if !t(&s) {
			return false
		}
	}
	return true
}
