// Package emulate is a link that misbehaves as it is told: delay, jitter, loss,
// duplicates, reordering, a rate; and a switch that tags frames for a VLAN, for
// kernels that have neither netem nor VLAN devices. It is a program that moves
// frames between interfaces of one namespace in user space.
package emulate

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"waymark/cmd/lab/emulate/nat"
)

// Impairment is what happens to frames, each direction alike. The zero value
// lets everything pass at once.
type Impairment struct {
	Delay     time.Duration // of every frame
	Jitter    time.Duration // at most this much more, drawn anew for each frame
	Loss      float64       // share of frames that are lost, 0 to 1
	Burst     float64       // mean number of frames lost in a row; up to 1: each on its own
	Duplicate float64       // probability that a frame arrives twice
	Reorder   float64       // probability that a frame is held back ReorderBy
	ReorderBy time.Duration // 0: 1 ms
	Mbit      int           // rate in Mbit/s; 0: none. The queue holds 100 ms
	Seed      uint64        // of every draw: the same seed draws the same fate
	// NAT hides whom the link leads to (Between: ns) behind its address; nil: none.
	// Somebody outside has to route that address to the link.
	NAT *nat.Config

	control string // path of the socket that takes faults, empty for none (Switchable)
}

// Port is one side of the link.
type Port struct {
	Dev  string // interface, in the emulator's namespace
	VLAN int    // frames of this port are tagged so on the trunk; 0: untagged
}

// errUsage is a command line that means nothing.
var errUsage = errors.New("usage: _emulate [flags] TRUNK PORT[:VLAN]…")

// args is the command line that parse reads.
func (im Impairment) args(trunk string, ports []Port) []string {
	list := []string{
		"-delay", im.Delay.String(), "-jitter", im.Jitter.String(),
		"-loss", fmt.Sprint(im.Loss), "-burst", fmt.Sprint(im.Burst), "-duplicate", fmt.Sprint(im.Duplicate),
		"-reorder", fmt.Sprint(im.Reorder), "-reorder-by", im.ReorderBy.String(),
		"-mbit", strconv.Itoa(im.Mbit), "-seed", strconv.FormatUint(im.Seed, 10),
		"-control", im.control, trunk,
	}
	if im.NAT != nil {
		list = append([]string{"-nat", im.NAT.String()}, list...)
	}
	for _, p := range ports {
		list = append(list, fmt.Sprintf("%s:%d", p.Dev, p.VLAN))
	}
	return list
}

// parse reads the command line of the program.
func parse(args []string) (im Impairment, trunk string, ports []Port, err error) {
	f := flag.NewFlagSet("_emulate", flag.ContinueOnError)
	f.DurationVar(&im.Delay, "delay", 0, "of every frame")
	f.DurationVar(&im.Jitter, "jitter", 0, "at most this much more")
	f.Float64Var(&im.Loss, "loss", 0, "probability of loss")
	f.Float64Var(&im.Burst, "burst", 0, "mean number of frames lost in a row")
	f.Float64Var(&im.Duplicate, "duplicate", 0, "probability of a second copy")
	f.Float64Var(&im.Reorder, "reorder", 0, "probability of being held back")
	f.DurationVar(&im.ReorderBy, "reorder-by", 0, "how long it is held back")
	f.IntVar(&im.Mbit, "mbit", 0, "rate in Mbit/s")
	f.Uint64Var(&im.Seed, "seed", 0, "of the draws")
	f.Func("nat", "EXTERNAL,MAPPING,UNREPLIED,REPLIED,SEED", func(text string) error {
		c, err := nat.Parse(text)
		im.NAT = &c
		return err
	})
	f.StringVar(&im.control, "control", "", "socket that takes faults")
	if err := f.Parse(args); err != nil {
		return im, "", nil, err
	}
	if f.NArg() < 2 {
		return im, "", nil, errUsage
	}
	for _, a := range f.Args()[1:] {
		dev, tag, _ := strings.Cut(a, ":")
		vlan, err := strconv.Atoi(tag)
		if tag != "" && (err != nil || vlan < 0 || vlan > 4094) {
			return im, "", nil, fmt.Errorf("port %q: VLAN must be 0 to 4094", a)
		}
		ports = append(ports, Port{Dev: dev, VLAN: vlan})
	}
	return im, f.Arg(0), ports, nil
}

// fate draws what happens to one frame.
type fate struct {
	im   Impairment
	rnd  *rand.Rand
	bad  bool      // the last frame was lost, and with bursts the next may be, too
	free time.Time // when the rate lets the next frame leave
}

// queueLimit is what the rate's queue holds; what comes later is lost.
const queueLimit = 100 * time.Millisecond

func newFate(im Impairment, direction uint64) *fate {
	if im.ReorderBy == 0 {
		im.ReorderBy = time.Millisecond
	}
	return &fate{im: im, rnd: rand.New(rand.NewPCG(im.Seed, direction))}
}

// decide returns when the frame of so many bytes leaves: never, once or twice.
func (f *fate) decide(now time.Time, bytes int) (at [2]time.Time, copies int) {
	if f.lost() {
		return at, 0
	}
	out := now
	if f.im.Mbit > 0 {
		out = latest(out, f.free)
		if out.Sub(now) > queueLimit {
			return at, 0
		}
		f.free = out.Add(time.Duration(bytes) * 8 * time.Microsecond / time.Duration(f.im.Mbit))
	}
	out = out.Add(f.im.Delay)
	if f.im.Jitter > 0 {
		out = out.Add(time.Duration(f.rnd.Int64N(int64(f.im.Jitter))))
	}
	if f.rnd.Float64() < f.im.Reorder {
		out = out.Add(f.im.ReorderBy)
	}
	at[0], at[1], copies = out, out, 1
	if f.rnd.Float64() < f.im.Duplicate {
		copies = 2
	}
	return at, copies
}

// lost draws whether a frame is lost. With bursts it is Gilbert's model: a loss
// is followed by another so that Burst come in a row on average, and a frame
// that arrives by a loss so rarely that the share of all stays Loss.
func (f *fate) lost() bool {
	p := f.im.Loss
	switch {
	case f.im.Burst <= 1 || p >= 1:
	case f.bad:
		p = 1 - 1/f.im.Burst
	default:
		p = p / (1 - p) / f.im.Burst
	}
	f.bad = f.rnd.Float64() < p
	return f.bad
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
