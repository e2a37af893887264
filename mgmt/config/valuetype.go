package config

import (
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// valueType reads the text of a leaf. JSON decides only by kind (a number in
// quotes is a string), so that the vendor's text form reads the same types.
type valueType struct {
	json    jkind    // JSON kinds that may carry it
	allowed string   // range or values, for findings
	words   []string // values that can be listed, for completion
	// read returns the value, or what is wrong with it.
	read func(text string) (val any, problem string)
}

// outOfRange is the problem of a value that has the right form only.
const outOfRange = "is out of range"

// integer returns a whole number as int64.
func integer(lo, hi int64) valueType {
	return valueType{json: jNumber, allowed: fmt.Sprintf("%d-%d", lo, hi), read: func(s string) (any, string) {
		n, problem := readInt(s, lo, hi)
		return n, problem
	}}
}

func readInt(s string, lo, hi int64) (int64, string) {
	if strings.ContainsAny(s, ".eE") {
		return 0, "is no whole number"
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < lo || n > hi {
		return 0, outOfRange
	}
	return n, ""
}

// duration returns a time.Duration; the file counts whole units.
func duration(unit time.Duration, name string, lo, hi int64) valueType {
	return valueType{json: jNumber, allowed: fmt.Sprintf("%d-%d %s", lo, hi, name), read: func(s string) (any, string) {
		n, problem := readInt(s, lo, hi)
		return time.Duration(n) * unit, problem
	}}
}

func millis(lo, hi int64) valueType  { return duration(time.Millisecond, "ms", lo, hi) }
func seconds(lo, hi int64) valueType { return duration(time.Second, "s", lo, hi) }

// decimal returns a float64.
func decimal(lo, hi float64) valueType {
	return valueType{json: jNumber, allowed: fmt.Sprintf("%g-%g", lo, hi), read: func(s string) (any, string) {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(f) || f < lo || f > hi {
			return 0.0, outOfRange
		}
		return f, ""
	}}
}

// boolean returns a bool.
func boolean() valueType {
	return valueType{json: jBool, allowed: "true, false", words: []string{"true", "false"}, read: func(s string) (any, string) {
		if s != "true" && s != "false" {
			return false, "is neither true nor false"
		}
		return s == "true", ""
	}}
}

// enum returns one of the words.
func enum(words ...string) valueType { return enumLater(nil, words...) }

// enumLater is enum with words that the model has and we have not: refused,
// with the reason.
func enumLater(later []string, words ...string) valueType {
	return valueType{json: jString, allowed: strings.Join(words, ", "), words: words, read: func(s string) (any, string) {
		switch {
		case contains(words, s):
			return s, ""
		case contains(later, s):
			return "", "is not supported yet"
		}
		return "", "is none of the values"
	}}
}

// orWord is t, or one of the words; the value of a word is the word itself.
func orWord(t valueType, words ...string) valueType {
	allowed := t.allowed + ", " + strings.Join(words, ", ")
	return valueType{json: t.json | jString, allowed: allowed, words: words, read: func(s string) (any, string) {
		if contains(words, s) {
			return s, ""
		}
		return t.read(s)
	}}
}

// text returns free text without control characters.
func text(max int) valueType {
	allowed := fmt.Sprintf("up to %d characters", max)
	return valueType{json: jString, allowed: allowed, read: func(s string) (any, string) {
		if len([]rune(s)) > max {
			return "", "is too long"
		}
		if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
			return "", "has control characters"
		}
		return s, ""
	}}
}

// class is a set of ASCII characters, written as in an expression: "a-z0-9_-".
type class [128]bool

func classOf(text string) (c class) {
	for i := 0; i < len(text); i++ {
		from, to := text[i], text[i]
		if i+2 < len(text) && text[i+1] == '-' {
			to, i = text[i+2], i+2
		}
		for b := from; b <= to; b++ {
			c[b] = true
		}
	}
	return c
}

// holds tells whether all of s is in the class.
func (c *class) holds(s string) bool {
	for i := range len(s) {
		if s[i] >= 128 || !c[s[i]] {
			return false
		}
	}
	return true
}

// chars returns a string of least to most characters that all are in a class. There
// are no expressions here: to compile one costs a start more than to read a
// configuration.
func chars(set string, least, most int, allowed string) valueType {
	c := classOf(set)
	return valueType{json: jString, allowed: allowed, read: func(s string) (any, string) {
		if len(s) < least || len(s) > most || !c.holds(s) {
			return "", "is no valid name"
		}
		return s, ""
	}}
}

// name is the vendor's name of a list entry.
func name() valueType { return chars("A-Za-z0-9._-", 1, 63, "1-63 of A-Z a-z 0-9 . _ -") }

// device returns the name of a Linux interface: up to 15 bytes without slash, colon
// and blanks (dev_valid_name).
func device() valueType {
	return valueType{json: jString, allowed: "a Linux interface name", read: func(s string) (any, string) {
		if s == "" || len(s) > 15 || strings.ContainsAny(s, "/: \t\n\v\f\r") {
			return "", "is no valid name"
		}
		return s, ""
	}}
}

// fqdn is a host name with at least one letter in its last label, so that a
// mistyped address is none.
func fqdn() valueType {
	return valueType{json: jString, allowed: "a host name", read: func(s string) (any, string) {
		if !isHostName(s) {
			return "", "is no host name"
		}
		return s, ""
	}}
}

var (
	letters    = classOf("A-Za-z")
	alphanum   = classOf("A-Za-z0-9")
	labelChars = classOf("A-Za-z0-9-")
)

func isHostName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for rest, more := s, true; more; {
		var label string
		label, rest, more = strings.Cut(rest, ".")
		n := len(label)
		if n < 1 || n > 63 || !labelChars.holds(label) || !alphanum.holds(label[:1]) || !alphanum.holds(label[n-1:]) {
			return false
		}
		if !more && !letters.holds(label[:1]) {
			return false
		}
	}
	return true
}

// address returns a netip.Addr of a single host.
func address() valueType {
	return valueType{json: jString, allowed: "an IPv4 or IPv6 unicast address", read: func(s string) (any, string) {
		a, err := netip.ParseAddr(s)
		switch {
		case err != nil:
			return netip.Addr{}, "is no address"
		case a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback():
			return netip.Addr{}, "is no unicast address"
		case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			return netip.Addr{}, "is no unicast address"
		}
		return a, ""
	}}
}

// addressOrName returns a netip.Addr, or a host name as string.
func addressOrName() valueType {
	ip, host := address(), fqdn()
	return valueType{json: jString, allowed: ip.allowed + " or " + host.allowed, read: func(s string) (any, string) {
		if v, problem := host.read(s); problem == "" {
			return v, ""
		}
		return ip.read(s)
	}}
}

// prefix returns a netip.Prefix as written; a bare address is one host.
func prefix() valueType {
	return valueType{json: jString, allowed: "ADDRESS or ADDRESS/LENGTH", read: func(s string) (any, string) {
		p, ok := readPrefix(s)
		if ok {
			return p, ""
		}
		if isHostName(s) {
			return p, "is a host name: not supported yet"
		}
		return p, "is no address or prefix"
	}}
}

func readPrefix(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, !p.Addr().Is4In6()
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// hexBytes returns []byte; sizes count hex digits.
func hexBytes(sizes ...int) valueType {
	list := strings.Trim(strings.ReplaceAll(fmt.Sprint(sizes), " ", ", "), "[]")
	return valueType{json: jString, allowed: list + " hex digits", read: func(s string) (any, string) {
		b, err := hex.DecodeString(s)
		if err != nil && len(s)%2 == 0 {
			return []byte(nil), "is not hexadecimal"
		}
		for _, n := range sizes {
			if len(s) == n {
				return b, ""
			}
		}
		return []byte(nil), fmt.Sprintf("has %d hex digits", len(s))
	}}
}

// mac returns a [6]byte hardware address of one host.
func mac() valueType {
	return valueType{json: jString, allowed: "a unicast MAC address such as 02:00:00:00:00:01", read: func(s string) (any, string) {
		b, err := net.ParseMAC(s)
		if err != nil || len(b) != 6 || b[0]&1 != 0 {
			return [6]byte{}, "is no MAC address of a host"
		}
		return [6]byte(b), ""
	}}
}

// source returns an AccessPolicy: tenant, prefix or tenant@prefix.
func source() valueType {
	tenant := name()
	return valueType{json: jString, allowed: "TENANT, PREFIX or TENANT@PREFIX", read: func(s string) (any, string) {
		p := AccessPolicy{Source: s}
		who, where, both := strings.Cut(s, "@")
		if pfx, ok := readPrefix(s); ok {
			p.Prefix = pfx.Masked()
			return p, ""
		}
		if _, problem := tenant.read(who); problem != "" && who != GlobalTenant {
			return p, "is no tenant or prefix"
		}
		p.Tenant = who
		if both {
			pfx, ok := readPrefix(where)
			if !ok {
				return p, "has no prefix behind @"
			}
			p.Prefix = pfx.Masked()
		}
		return p, ""
	}}
}
