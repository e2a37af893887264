// Package module holds the functions that a Salt master may call on a box:
// names, arguments and return values as stock Salt has them, so that what people
// and scripts know works, and waymark.* for what is ours.
//
// A function sees the minion and the box through the interfaces of this file
// and has no other way to touch them.
package module

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/target"
)

// Minion is what functions may ask of the minion that runs them. All methods
// are safe for many goroutines; the maps they return must not be changed.
type Minion interface {
	ID() string
	Grains() msgpack.Map
	RefreshGrains(ctx context.Context) error // reads them again and tells the master
	Pillar() msgpack.Map
	RefreshPillar(ctx context.Context) error
	Fire(ctx context.Context, tag string, data any) error
	Request(ctx context.Context, load msgpack.Map) (any, error)
	Running() []msgpack.Map // as Job.Info, in order of start
	Kill(jid string) bool
}

// Box is what functions may do to the box. A nil member means that the box
// cannot do it; the function says so.
type Box struct {
	Proc       fs.FS // /proc
	Interfaces func() ([]Interface, error)
	Usage      func(path string) (total, free uint64, err error) // bytes of the file system of path
	Show       func(ctx context.Context, what string, detail bool) ([]any, error)
	Config     Configuration
	Reboot     func(after time.Duration) error
	Files      string // directory that cp.get_file writes in
}

// Configuration is where state.apply commits to. Trees are JSON of the data
// model, the whole authority.
type Configuration interface {
	// Compare validates a tree and tells what committing it would change. An
	// error is a reason to refuse it.
	Compare(ctx context.Context, tree []byte) ([]Change, error)
	// Commit makes it the running configuration and names its version. Unless
	// Confirm is called Within, the one before comes back.
	Commit(ctx context.Context, tree []byte) (version string, err error)
	// Running is the running configuration.
	Running(ctx context.Context) ([]byte, error)
	// Rollback returns to a version, "" for the one before; it wants to be
	// confirmed as Commit does.
	Rollback(ctx context.Context, version string) (string, error)
	// Confirm makes the last commit stay.
	Confirm(ctx context.Context) error
	Within() time.Duration
}

// Change is one difference between two configurations. nil is absent.
type Change struct {
	Path     string
	Old, New any
}

// Interface is one network interface.
type Interface struct {
	Name, Hardware string
	Up             bool
	Addresses      []string // CIDR
}

// Call is one call of a function.
type Call struct {
	Minion   Minion
	Box      *Box
	Job      *salt.Job
	Args     []any       // positional
	Keywords msgpack.Map // without __kwarg__
	Set      *Set
}

// function is one entry of the table.
type function struct {
	usage    string // arguments, for sys.doc
	doc      string
	min, max int    // positional arguments; max -1: any number
	keywords string // names, separated by blanks; "*" takes all, those of the publication too
	control  bool   // answers at once, even when all job slots are taken
	out      string
	run      func(ctx context.Context, c *Call) (any, error)
}

// Set is the functions of a box.
type Set struct {
	box   *Box
	table map[string]function
	state chan struct{} // holds one token: one state run at a time
}

// Failure is an error whose return value and code are given.
type Failure struct {
	Value   any
	Retcode int
}

// Error is the value as text.
func (f *Failure) Error() string { return fmt.Sprint(f.Value) }

// ErrCannot: the box lacks what the function needs.
var ErrCannot = errors.New("this box cannot do that")

// New makes the functions of a box.
func New(box *Box) *Set {
	s := &Set{box: box, table: map[string]function{}, state: make(chan struct{}, 1)}
	for _, t := range []map[string]function{testTable, dataTable, saltutilTable(), sysTable, stateTable, fileTable, statusTable, waymarkTable} {
		maps.Copy(s.table, t)
	}
	return s
}

// Names are the functions in order.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.table)) }

// Control tells whether a function must answer however busy the box is.
func (s *Set) Control(name string) bool { return s.table[name].control }

// Run calls function n of a job and turns whatever happens into an outcome.
func (s *Set) Run(ctx context.Context, m Minion, job *salt.Job, n int) (o salt.Outcome) {
	name := job.Funs[n]
	f, ok := s.table[name]
	if !ok {
		return salt.Outcome{Value: fmt.Sprintf("'%s' is not available.", printable(name)), Retcode: 1, Out: "nested"}
	}
	defer func() {
		if r := recover(); r != nil { // a broken function must not end the agent
			o = salt.Outcome{Value: fmt.Sprintf("The minion function caused an exception: %v", r), Retcode: 1}
		}
	}()
	c := &Call{Minion: m, Box: s.box, Job: job, Set: s}
	c.Args, c.Keywords = split(job.Args[n])
	if err := f.check(name, c); err != nil {
		return salt.Outcome{Value: err.Error(), Retcode: 1}
	}
	if f.keywords == "*" {
		c.Keywords = append(c.Keywords, job.Pub()...)
	}
	return outcome(f, ctx, c)
}

func outcome(f function, ctx context.Context, c *Call) salt.Outcome {
	v, err := f.run(ctx, c)
	var failure *Failure
	switch {
	case errors.As(err, &failure):
		return salt.Outcome{Value: failure.Value, Retcode: failure.Retcode, Out: f.out}
	case err != nil:
		return salt.Outcome{Value: "ERROR: " + err.Error(), Retcode: 1}
	}
	return salt.Outcome{Value: v, Success: true, Out: f.out}
}

// split separates positional and keyword arguments: a map with __kwarg__.
func split(in []any) (args []any, keywords msgpack.Map) {
	for _, a := range in {
		if m, ok := a.(msgpack.Map); ok && m.Get("__kwarg__") == true {
			keywords = append(keywords, m.Without("__kwarg__")...)
			continue
		}
		args = append(args, a)
	}
	return args, keywords
}

// check refuses what the function does not take.
func (f function) check(name string, c *Call) error {
	wrong := func(why string, args ...any) error {
		return &Failure{fmt.Sprintf("Passed invalid arguments to %s: %s. Usage: %s(%s)", name, fmt.Sprintf(why, args...), name, f.usage), 1}
	}
	names := strings.Fields(f.keywords)
	for _, p := range c.Keywords {
		k, ok := p.Key.(string)
		if !ok || f.keywords != "*" && !slices.Contains(names, k) {
			return wrong("unexpected keyword argument %q", printable(fmt.Sprint(p.Key)))
		}
	}
	switch n := len(c.Args); {
	case n < f.min && !f.named(c, n):
		return wrong("takes at least %d arguments, %d given", f.min, n)
	case f.max >= 0 && n > f.max:
		return wrong("takes at most %d arguments, %d given", f.max, n)
	}
	return nil
}

// named tells whether the missing positional arguments were given by name: the
// first keywords of a function are its positional arguments in order.
func (f function) named(c *Call, n int) bool {
	names := strings.Fields(f.keywords)
	for i := n; i < f.min; i++ {
		if i >= len(names) {
			return false
		}
		if _, ok := c.Keywords.Lookup(names[i]); !ok {
			return false
		}
	}
	return true
}

// arg is positional argument n or the keyword of that name; nil if absent.
func (c *Call) arg(n int, name string) any {
	if n < len(c.Args) {
		return c.Args[n]
	}
	return c.Keywords.Get(name)
}

// text is arg that must be text; def if absent.
func (c *Call) text(n int, name, def string) (string, error) {
	switch v := c.arg(n, name).(type) {
	case nil:
		return def, nil
	case string:
		return v, nil
	default:
		return "", &Failure{fmt.Sprintf("Passed invalid arguments: %s must be text", name), 1}
	}
}

// flag is arg that must be a truth value.
func (c *Call) flag(n int, name string) (bool, error) {
	switch v := c.arg(n, name).(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	default:
		return false, &Failure{fmt.Sprintf("Passed invalid arguments: %s must be True or False", name), 1}
	}
}

// printable cuts and quotes what a stranger chose before it goes into a message.
func printable(s string) string {
	if len(s) > 80 {
		s = s[:80] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return '?'
		}
		return r
	}, s)
}

// globbed tells whether a name fits a pattern, or is in the module it names.
func globbed(pattern, name string) bool {
	return target.Glob(pattern, name) || strings.HasPrefix(name, strings.TrimSuffix(pattern, ".")+".")
}
