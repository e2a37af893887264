package config

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"
)

// checker looks across objects. It works on entries, which know their paths,
// and reads them with the decode functions.
type checker struct {
	*collector
	auth  *entry
	names map[string]map[string]bool // authority list → its keys, wrong ones too
}

// checkTree finds what is wrong between well-formed objects.
func checkTree(c *collector, auth *entry) {
	k := &checker{collector: c, auth: auth, names: make(map[string]map[string]bool)}
	k.collect()
	k.walk(auth)
	k.securities()
	for _, s := range auth.all("service") {
		k.service(s)
	}
	for _, s := range auth.sub("alarm-shelving").all("shelf") {
		k.shelf(s)
	}
	k.neighborhoodsAndVectors()
	for _, r := range auth.all("router") {
		k.router(r)
	}
	k.assets()
}

// err and warn report on an entry; its text is the value shown.
func (k *checker) err(e *entry, problem, allowed string) {
	k.add(Error, e.path(), e.valueShown(), problem, allowed)
}

func (k *checker) warn(e *entry, problem string) {
	k.add(Warning, e.path(), e.valueShown(), problem, "")
}

// missing reports a child that another object makes necessary.
func (k *checker) missing(e *entry, child, why, allowed string) {
	k.add(Error, e.below(child), "", why, allowed)
}

// valueShown is the value of a leaf as a finding shows it.
func (e *entry) valueShown() string {
	if e.el.shape != leaf && e.el.shape != leafList || e.text == "" {
		return ""
	}
	kind := e.el.typ.json
	if kind&jString != 0 {
		kind = jString
	}
	return e.shownAs(kind)
}

// collect notes the keys of the authority's lists, for references.
func (k *checker) collect() {
	for _, el := range k.auth.el.children {
		if el.shape == list {
			k.names[el.name] = make(map[string]bool)
		}
	}
	for _, e := range k.auth.kids {
		if e.el.shape == list {
			if key := e.kid(e.el.keys[0]); key != nil {
				k.names[e.el.name][key.text] = true
			}
		}
	}
}

// exists tells whether a list has the key; of a list that could not be read
// nobody knows.
func (k *checker) exists(list, key string) bool {
	return k.names[list][key] || k.read[k.auth.below(list)]
}

// known lists the keys of an authority list.
func (k *checker) known(list string) string {
	return listed(k.names[list])
}

// maxListed bounds the names a finding lists.
const maxListed = 20

func listed(set map[string]bool) string {
	var names []string
	for n := range set {
		names = append(names, word(n))
	}
	slices.Sort(names)
	if n := len(names) - maxListed; n > 0 {
		names = append(names[:maxListed], fmt.Sprintf("and %d more", n))
	}
	if len(names) == 0 {
		return "none is configured"
	}
	return strings.Join(names, ", ")
}

// walk checks what holds wherever it stands: references, port-ranges, host
// bits.
func (k *checker) walk(e *entry) {
	if e.el.ref != "" && e.text != "" && !k.exists(e.el.ref, e.text) {
		k.err(e, "there is no such "+e.el.ref, k.known(e.el.ref))
	}
	if p, ok := e.val.(netip.Prefix); ok && p != p.Masked() {
		k.warn(e, "has host bits, means "+p.Masked().String())
	}
	k.portRanges(e)
	for _, c := range e.kids {
		k.walk(c)
	}
}

// portRanges checks the port-ranges of one list: start, end, overlaps.
func (k *checker) portRanges(e *entry) {
	var ranges []placed
	for _, p := range e.all("port-range") {
		r := decodePortRange(p)
		if r.Start == 0 || r.End == 0 {
			continue // a finding says why already
		}
		if r.Start > r.End {
			k.err(p, fmt.Sprintf("starts at %d behind its end %d", r.Start, r.End), "start-port <= end-port")
			continue
		}
		ranges = append(ranges, placed{r, p})
	}
	if e.el.name != "neighborhood" { // those are compared over the interface
		k.overlaps(ranges, "another range of the list")
	}
}

// placed is a port range and where it stands.
type placed struct {
	PortRange
	at *entry
}

// overlaps reports every range that shares a port with one that starts below.
func (k *checker) overlaps(ranges []placed, what string) {
	sorted := slices.Clone(ranges)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Start < sorted[j].Start })
	for i := 1; i < len(sorted); i++ {
		if a, b := sorted[i-1], &sorted[i]; a.Overlaps(b.PortRange) {
			k.add(Error, b.at.path(), b.String(), fmt.Sprintf("overlaps %s, %s", what, a), "ranges without common ports")
			if a.End > b.End {
				b.End = a.End // the longer one still covers what follows
			}
		}
	}
}

// String returns "start-end".
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.Start, r.End) }

// assets refuses two nodes of one identity.
func (k *checker) assets() {
	seen := make(map[string]*entry)
	for _, r := range k.auth.all("router") {
		for _, n := range r.all("node") {
			k.twice(seen, n.kid("asset-id"))
		}
	}
}

// twice reports a leaf whose value another place has.
func (k *checker) twice(seen map[string]*entry, e *entry) {
	if e == nil || e.text == "" {
		return
	}
	key := e.canonical()
	if first := seen[key]; first != nil {
		k.err(e, "is used twice, first at "+first.parent.path(), "")
		return
	}
	seen[key] = e
}
