package pid1

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"waymark/board"
	"waymark/image/boot"
	"waymark/image/build"
	"waymark/image/pulse"
	"waymark/mgmt/agent"
	"waymark/svr/router/eventfile"
)

// RunDir is the run directory of a box (docs/run-files.md).
const RunDir = "/run/waymark"

// Init is the state of process 1; the loop's, but for what is said to be safe.
type Init struct {
	info  build.Info
	args  boot.Args
	board *board.Board

	log      *slog.Logger
	console  *port // both may be nil
	report   *port
	journal  *eventfile.Journal
	logs     logs
	front    front
	loader   *loader
	dog      *watchdog
	judge    pulse.Judge
	services []*service
	data     *data
	slots    slots
	reason   Reason
	assetID  string // "": nothing on the machine names it
	progress progress

	mail  chan func()   // run by the loop, in order
	hurry chan struct{} // the next question for progress, now
	ended *ending       // an orderly end is under way

	starving   bool          // somebody is late, the watchdog is not fed
	hungry     time.Duration // since when
	healthy    bool
	savedClock time.Duration
	drilled    map[int]func(how string) // processes of orders, by id
}

// Main is process 1. It never returns.
func Main() {
	i := &Init{mail: make(chan func(), 256), hurry: make(chan struct{}, 1), log: slog.New(slog.DiscardHandler)}
	debug.SetGCPercent(25)
	defer i.caught()
	if err := i.start(); err != nil {
		i.die("boot failed: "+err.Error(), "")
	}
	i.loop()
}

// now is monotonic time since the kernel started.
func now() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // cannot fail: the clock is there since Linux 2.6.39
	return time.Duration(t.Nano())
}

// post lets the loop run fn. Safe for any goroutine, and never called by the
// loop itself.
func (i *Init) post(fn func()) { i.mail <- fn }

// spawn runs fn beside the loop; a panic in it is one of init.
func (i *Init) spawn(fn func()) {
	go func() {
		defer i.caught()
		fn()
	}()
}

// caught ends the box in order when its caller panics.
func (i *Init) caught() {
	if p := recover(); p != nil {
		i.die(fmt.Sprint("init panicked: ", p), string(debug.Stack()))
	}
}

// start does everything up to the loop. Errors are fatal.
func (i *Init) start() error {
	if err := i.recognise(); err != nil {
		return err
	}
	m := &machine{loader: &i.loader}
	var notes []error
	err := boot.Base(i.board).Run(m, func(e error) { notes = append(notes, e) })
	i.openLog()
	i.openPorts()
	for _, n := range notes {
		i.log.Warn("left out at boot", "error", n)
	}
	if err != nil {
		return err
	}
	if err := i.closeBox(); err != nil {
		return err
	}
	i.openSwap()
	i.coldplug()
	i.openWatchdog()
	i.openPanel()
	i.openSlots()
	i.openData()
	i.restoreLogs()
	i.setClock()
	i.learnReason()
	i.settleSlots()
	if err := i.openJournal(); err != nil {
		return err
	}
	i.compareBoard()
	i.namePorts()
	i.nameBox()
	i.planServices()
	i.startTrial()
	i.saved()
	i.tell(report{"event": "boot", "board": i.board.Name, "version": i.info.Version, "reason": i.reason.Why, "detail": i.reason.Detail})
	i.say("waymark %s on %s, started because: %s\n", i.info.Version, i.board.Name, i.reason)
	i.alarmTrial()
	return nil
}

// recognise finds out what we are and run on. /proc and /sys are needed for
// that, which the boot table mounts again without harm.
func (i *Init) recognise() (err error) {
	m := &machine{}
	for _, row := range boot.Base(&board.Board{}).Mounts[:3] {
		if err := m.Mount(row); err != nil {
			return fmt.Errorf("mount %s: %w", row.Target, err)
		}
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	i.args = boot.ParseArgs(string(line))
	if i.info, err = build.Read(build.File); err != nil {
		return err
	}
	name := i.info.Board
	if i.args.Board != "" {
		name = i.args.Board
	}
	i.board, err = board.Find(name)
	return err
}

// compareBoard tells of an image that is another board's than the machine: ports may
// have other names, and drivers may be missing. It goes on: some is better than none.
func (i *Init) compareBoard() {
	b, err := board.Identify(board.Machine(os.DirFS("/"), runtime.GOARCH))
	if err == nil && b != i.board {
		i.log.Warn("the image is another board's", "image", i.board.Name, "machine", b.Name)
	}
}

// openPorts opens console and report port; a box without them is mute.
func (i *Init) openPorts() {
	var err error
	if i.console, err = openPort(i.board.Console, i.spawn); err != nil {
		i.log.Warn("no console", "error", err)
	}
	if i.args.Report == "" {
		return
	}
	if i.report, err = openPort(i.args.Report, i.spawn); err != nil {
		i.log.Warn("no report port", "error", err)
		return
	}
	if i.args.Drill {
		i.spawn(i.takeOrders)
	}
}

// nameBox finds the name that the agent will tell to conductors.
func (i *Init) nameBox() {
	var err error
	if i.assetID, err = agent.AssetID(os.DirFS("/"), ""); err != nil {
		i.log.Warn("the box has no name", "error", err)
	}
}

// bootTime is when the kernel started, by the wall clock as it is now.
func (i *Init) bootTime() time.Time { return time.Now().Add(-now()).UTC() }
