// Package target decides whether a job is for a minion, the way Salt's matchers
// do: glob, list, grain, grain_pcre, pcre, pillar, pillar_exact, pillar_pcre,
// ipcidr, compound and compound_pillar_exact. Masters expand nodegroups before
// they publish. Range, data and cache match nobody here.
//
// Source: salt/matchers and salt/utils/data.py of 3007. Two differences: regular
// expressions are RE2 (no look-around, no back-references), so that no target
// costs more than linear time, and what cannot be understood matches nobody.
package target

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"waymark/mgmt/salt/msgpack"
)

// maxExpr bounds an expression in bytes, a list excepted.
const maxExpr = 4096

// ErrTarget: the expression cannot be understood; nobody is meant.
var ErrTarget = errors.New("unknown target")

// Subject is who may be meant.
type Subject struct {
	ID             string
	Grains, Pillar msgpack.Map
}

// Match tells whether a target of some type means the subject. delimiter stands
// between the keys of grain and pillar expressions.
func Match(s Subject, tgt any, kind, delimiter string) (bool, error) {
	if kind == "list" {
		return matchList(s, tgt), nil
	}
	if words, ok := tgt.([]any); ok && strings.HasPrefix(kind, "compound") {
		tgt = joined(words)
	}
	expr, ok := tgt.(string)
	if !ok || len(expr) > maxExpr || delimiter == "" {
		return false, fmt.Errorf("%w: %s of %T", ErrTarget, kind, tgt)
	}
	switch kind {
	case "compound":
		return compound(s, expr, false)
	case "compound_pillar_exact":
		return compound(s, expr, true)
	}
	return matchOne(s, expr, kind, delimiter)
}

// joined is a compound target that was split into words.
func joined(words []any) string {
	var out []string
	for _, w := range words {
		text, _ := w.(string)
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// matchOne is Match of what is no list and no compound.
func matchOne(s Subject, expr, kind, delimiter string) (bool, error) {
	switch kind {
	case "glob":
		return Glob(expr, s.ID), nil
	case "pcre":
		re, err := anchored(expr)
		return err == nil && re.MatchString(s.ID), err
	case "ipcidr":
		return matchAddress(s.Grains, expr)
	case "grain", "pillar":
		return walk(s.data(kind), expr, delimiter, Glob)
	case "grain_pcre", "pillar_pcre":
		return walk(s.data(kind), expr, delimiter, matchPattern)
	case "pillar_exact":
		return walk(s.Pillar, expr, delimiter, func(pattern, text string) bool { return pattern == text })
	}
	return false, fmt.Errorf("%w: type %.32q", ErrTarget, kind)
}

func (s Subject) data(kind string) msgpack.Map {
	if strings.HasPrefix(kind, "grain") {
		return s.Grains
	}
	return s.Pillar
}

func matchList(s Subject, tgt any) bool {
	switch tgt := tgt.(type) {
	case []any:
		return slices.Contains(tgt, any(s.ID))
	case string:
		for id := range strings.SplitSeq(tgt, ",") {
			if strings.TrimSpace(id) == s.ID {
				return true
			}
		}
	}
	return false
}

// anchored is Python's re.match: at the beginning, not at the end.
func anchored(expr string) (*regexp.Regexp, error) {
	re, err := regexp.Compile("^(?:" + expr + ")")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTarget, err)
	}
	return re, nil
}

func matchPattern(pattern, text string) bool {
	re, err := anchored(pattern)
	return err == nil && re.MatchString(text)
}

// matchAddress looks in the grains ipv4 and ipv6. As in Python a network must
// have no bits behind its mask.
func matchAddress(grains msgpack.Map, expr string) (bool, error) {
	p, err := netip.ParsePrefix(expr)
	if err != nil {
		a, err := netip.ParseAddr(expr)
		if err != nil {
			return false, fmt.Errorf("%w: %w", ErrTarget, err)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if p != p.Masked() {
		return false, fmt.Errorf("%w: %s has host bits", ErrTarget, expr)
	}
	family := "ipv4"
	if p.Addr().Is6() {
		family = "ipv6"
	}
	own, _ := grains.Get(family).([]any)
	return slices.ContainsFunc(own, func(v any) bool {
		text, _ := v.(string)
		a, err := netip.ParseAddr(text)
		return err == nil && p.Contains(a)
	}), nil
}
