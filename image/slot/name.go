package slot

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Tries is how often a new slot may be started before the loader gives it up. Two
// leave one for a power cut that is nobody's fault.
const Tries = 2

// Name is the name of a slot's file.
type Name struct {
	Number int  // rises with each update; 0: this is no slot
	Letter byte // 'a' or 'b'
	Trial  bool // has a counter
	Left   int  // starts left, on trial
	Done   int  // starts used, on trial
}

// nameForm is compiled when a name is read: most processes of a box read none.
var nameForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^waymark-(\d{6})-([ab])(?:\+(\d{1,3})(?:-(\d{1,3}))?)?\.efi$`)
})

// ParseName reads a file's name in capitals or small letters; ok is false for
// what is no slot of ours.
func ParseName(file string) (n Name, ok bool) {
	m := nameForm().FindStringSubmatch(strings.ToLower(file))
	if m == nil {
		return Name{}, false
	}
	n.Number, _ = strconv.Atoi(m[1])
	n.Letter, n.Trial = m[2][0], m[3] != ""
	n.Left, _ = strconv.Atoi(m[3])
	n.Done, _ = strconv.Atoi(m[4])
	return n, n.Number > 0
}

// String is the name of the file.
func (n Name) String() string {
	counter := ""
	if n.Trial {
		counter = fmt.Sprintf("+%d", n.Left)
		if n.Done > 0 {
			counter += fmt.Sprintf("-%d", n.Done)
		}
	}
	return fmt.Sprintf("waymark-%06d-%c%s.efi", n.Number, n.Letter, counter)
}

// Committed is the name without its counter: what the slot is called for good,
// and how the loader and the state speak of it.
func (n Name) Committed() Name { return Name{Number: n.Number, Letter: n.Letter} }

// Failed tells whether the loader has given the slot up.
func (n Name) Failed() bool { return n.Trial && n.Left == 0 }

// GivenUp is the name with no starts left.
func (n Name) GivenUp() Name {
	n.Trial, n.Left, n.Done = true, 0, n.Done+n.Left
	return n
}

// After is the name of the slot that follows n: the next number, the other
// letter, on trial.
func (n Name) After(highest int) Name {
	return Name{Number: max(highest, n.Number) + 1, Letter: 'a' + 'b' - n.Letter, Trial: true, Left: Tries}
}

// Next is the slot that the loader starts; ok is false if there is none. The
// order is systemd-boot's for entries without a sort key: given up ones last,
// then by name without counter, highest first; of two with the same name, the
// one with more starts left.
func Next(names []Name) (n Name, ok bool) {
	if len(names) == 0 {
		return Name{}, false
	}
	return slices.MinFunc(names, func(a, b Name) int {
		switch {
		case a.Failed() != b.Failed():
			return map[bool]int{true: 1, false: -1}[a.Failed()]
		case a.Number != b.Number || a.Letter != b.Letter:
			return strings.Compare(b.Committed().String(), a.Committed().String())
		case !a.Trial || !b.Trial:
			return 0
		}
		return cmp.Or(cmp.Compare(b.Left, a.Left), cmp.Compare(a.Done, b.Done))
	}), true
}
