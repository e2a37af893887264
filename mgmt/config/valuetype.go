package config

import (
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
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

// expressions are compiled once, when the first value is read by them: many leaves
// share one, and compiled they are large. By text; func() *regexp.Regexp.
var expressions sync.Map

// expression returns what compiles an expression that fits a whole value.
func expression(expr string) func() *regexp.Regexp {
	compile, _ := expressions.LoadOrStore(expr, sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:` + expr + `)$`)
	}))
	return compile.(func() *regexp.Regexp)
}

// pattern returns a string that matches the expression as a whole.
func pattern(expr, allowed string) valueType {
	re := expression(expr)
	return valueType{json: jString, allowed: allowed, read: func(s string) (any, string) {
		if !re().MatchString(s) {
			return "", "is no valid name"
		}
		return s, ""
	}}
}

// name is the vendor's name of a list entry.
func name() valueType {
	return pattern(`[A-Za-z0-9._-]{1,63}`, "1-63 of A-Z a-z 0-9 . _ -")
}

// fqdn is a host name with at least one letter in its last label, so that a
// mistyped address is none.
const fqdnPattern = `([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?`

func fqdn() valueType {
	re := expression(fqdnPattern)
	return valueType{json: jString, allowed: "a host name", read: func(s string) (any, string) {
		if len(s) > 253 || !re().MatchString(s) {
			return "", "is no host name"
		}
		return s, ""
	}}
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
	re := expression(fqdnPattern)
	return valueType{json: jString, allowed: "ADDRESS or ADDRESS/LENGTH", read: func(s string) (any, string) {
		p, ok := readPrefix(s)
		if ok {
			return p, ""
		}
		if re().MatchString(s) {
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
