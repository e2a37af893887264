package slot

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"waymark/image/build"
	"waymark/image/bundle"
	"waymark/image/cut"
	"waymark/image/fat"
)

const espSize = 34 << 20

// disk is a fake partition; reads always come from the medium.
type disk struct{ *cut.Disk }

func (disk) Forget() error { return nil }

// memory is a Store that saves atomically, on the clock of the disk's writes.
type memory struct {
	disk   *cut.Disk
	saved  []State
	at     []int // number of disk operations before each
	broken error // of Load
}

func (m *memory) Load() (State, error) {
	if m.broken != nil || len(m.saved) == 0 {
		return State{}, m.broken
	}
	return m.saved[len(m.saved)-1], nil
}

func (m *memory) Save(s State) error {
	m.saved, m.at, m.broken = append(m.saved, s), append(m.at, m.disk.Now()), nil
	return nil
}

// possible are the states that a cut after issued operations may have left: a
// save at that very moment happened or did not.
func (m *memory) possible(issued int) (list []State) {
	list = []State{m.saved[0]}
	for i, at := range m.at[1:] {
		switch {
		case at < issued:
			list = []State{m.saved[i+1]}
		case at == issued:
			list = append(list, m.saved[i+1])
		}
	}
	return list
}

var key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// software is a slot's file: it says which version it is, in every line.
func software(version string) []byte {
	return bytes.Repeat([]byte("version "+version+"\n"), 900)
}

// counters are those of the versions that tests know.
var counters = map[string]uint64{"1.0": 7, "2.0": 8, "3.0": 9, "4.0": 10}

func about(version string) *build.Info {
	return &build.Info{Board: "b", Version: version, Counter: counters[version], TrialSeconds: 10,
		UpdateKeys: []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}}
}

func pack(t testing.TB, version string) []byte {
	t.Helper()
	var b bytes.Buffer
	m := &bundle.Manifest{Board: "b", Version: version, Counter: counters[version], TrialSeconds: 10}
	if err := bundle.Write(&b, key, m, bundle.Content{Name: File, Data: bytes.NewReader(software(version))}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// machine is a box: disk, store, and what runs.
type machine struct {
	t     testing.TB
	disk  *cut.Disk
	store *memory
	*Box
	version string // that runs
}

// factory is a box with version 1.0 in slot a.
func factory(t testing.TB) *machine {
	t.Helper()
	d := cut.New(espSize)
	must(t, fat.Format(d, espSize, fat.Formatting{Label: "ESP"}))
	v, err := fat.Open(d)
	must(t, err)
	must(t, v.Mkdir("EFI"))
	must(t, v.Mkdir(Folder))
	data := software("1.0")
	must(t, v.Create(Folder+"/waymark-000001-a.efi", int64(len(data)), bytes.NewReader(data)))
	m := &machine{t: t, disk: d, store: &memory{disk: d}}
	must(t, m.store.Save(State{Floor: 7}))
	return m
}

// from is a box as a cut left it.
func from(t testing.TB, left *cut.Disk, s State) *machine {
	m := &machine{t: t, disk: left, store: &memory{disk: left}}
	must(t, m.store.Save(s))
	return m
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *machine) esp() *ESP {
	m.t.Helper()
	e, err := OpenESP(disk{m.disk})
	must(m.t, err)
	return e
}

// boot does what the loader does: choose, count, start; the slot's file must be
// one whole version. It returns what the new system decides.
func (m *machine) boot() Decision {
	m.t.Helper()
	d, err := m.load().Begin()
	must(m.t, err)
	return d
}

// load chooses and starts a slot, whose init then never runs if the test wants.
func (m *machine) load() *Box {
	m.t.Helper()
	e := m.esp()
	names, err := e.Names()
	must(m.t, err)
	n, ok := Next(names)
	if !ok {
		m.t.Fatal("neither: the loader finds nothing to start")
	}
	r, _, err := e.Open(n)
	must(m.t, err)
	data, err := io.ReadAll(r)
	must(m.t, err)
	m.version = ""
	for v := range counters {
		if bytes.Equal(data, software(v)) {
			m.version = v
		}
	}
	if m.version == "" {
		m.t.Fatalf("%s is no whole version: %d bytes, %.20q", n, len(data), data)
	}
	if n.Trial && n.Left > 0 {
		must(m.t, e.rename(n, Name{n.Number, n.Letter, true, n.Left - 1, n.Done + 1}))
	}
	m.Box = &Box{
		Open:  func() (Disk, io.Closer, error) { return disk{m.disk}, io.NopCloser(nil), nil },
		Store: m.store, Running: n.Committed(), Info: about(m.version), Log: slog.New(slog.DiscardHandler),
	}
	return m.Box
}

func (m *machine) update(version string) error {
	_, err := m.Update(bytes.NewReader(pack(m.t, version)), Wanted{})
	return err
}

// The whole life of an update, without a cut.
func TestUpdateAndCommit(t *testing.T) {
	m := factory(t)
	m.boot()
	must(t, m.update("2.0"))
	if d := m.boot(); m.version != "2.0" || !d.Trial || d.Why != "update to 2.0" {
		t.Fatalf("boot of %s: %+v", m.version, d)
	}
	if err := m.update("3.0"); !errors.Is(err, ErrTrial) {
		t.Errorf("update during a trial: %v", err)
	}
	must(t, m.Commit())
	for range 5 {
		if d := m.boot(); m.version != "2.0" || d.Trial || d.State.Floor != 8 || m.Status(d).Slot != "b" {
			t.Fatalf("boot of %s: %+v", m.version, d)
		}
	}
	if err := m.update("1.0"); !errors.Is(err, bundle.ErrOlder) {
		t.Errorf("older version: %v", err)
	}
	must(t, m.update("2.0")) // the same again, into the other slot
	if d := m.boot(); !d.Trial || m.Running.Letter != 'a' {
		t.Errorf("the same version again: %s %+v", m.Running, d)
	}
	must(t, m.Commit())
	must(t, m.update("3.0"))
	m.boot()
	if names, _ := m.esp().Names(); m.version != "3.0" || len(names) != 2 {
		t.Errorf("boot of %s, slots %v", m.version, names)
	}
}

// Each way a trial can fail: the old slot is back within three boots, says why
// and refuses the version.
func TestRollBack(t *testing.T) {
	for _, row := range []struct {
		name  string
		fail  func(m *machine) // what the first boots do, instead of committing
		boots int
		why   string
	}{
		{"the kernel panics", func(m *machine) { m.load(); m.load() }, 3, "it was started 2 times and its init never came to its trial"},
		{"init is reset silently", func(m *machine) { m.boot(); m.boot() }, 3, "init began 2 times and was reset without a word"},
		{"init crashes with a word", func(m *machine) {
			for range 2 {
				m.boot()
				must(m.t, m.Note("init crashed: index out of range"))
			}
		}, 3, "init crashed: index out of range"},
		{"no health", func(m *machine) { m.boot(); must(m.t, m.GiveUp("wan had an address before and has none")) }, 2,
			"wan had an address before and has none"},
		{"a power cut, then no health", func(m *machine) { m.boot(); m.boot(); must(m.t, m.GiveUp("no conductor")) }, 3, "no conductor"},
	} {
		m := factory(t)
		m.boot()
		must(t, m.update("2.0"))
		row.fail(m)
		d := m.boot()
		st := m.Status(d)
		if m.version != "1.0" || d.Trial || st.RefusedVersion != "2.0" || st.RefusedReason != row.why ||
			!strings.Contains(st.LastBootReason, row.why) || st.Slot != "a" {
			t.Errorf("%s: %s runs, %+v", row.name, m.version, st)
		}
		if err := m.update("2.0"); !errors.Is(err, bundle.ErrRefused) || !strings.Contains(err.Error(), row.why) {
			t.Errorf("%s: the version again: %v", row.name, err)
		}
		must(t, m.update("3.0"))
		m.boot()
		must(t, m.Commit())
		if d := m.boot(); m.version != "3.0" || d.State.Refused != nil {
			t.Errorf("%s: a later version: %s %+v", row.name, m.version, d.State)
		}
	}
}

// The data partition is lost at any moment: the box goes on.
func TestStateLost(t *testing.T) {
	m := factory(t)
	m.boot()
	m.store.broken = errors.New("unreadable")
	if d := m.boot(); d.State.Floor != 7 {
		t.Errorf("floor %d without a state, want the running version's", d.State.Floor)
	}
	m.store.broken = errors.New("unreadable")
	must(t, m.update("2.0"))
	m.store.broken = errors.New("unreadable")
	if d := m.boot(); !d.Trial || d.State.Pending.Version != "2.0" {
		t.Errorf("trial without a state: %+v", d)
	}
	m.store.broken = errors.New("unreadable")
	must(t, m.Commit())
	if d := m.boot(); m.version != "2.0" || d.State.Floor != 8 {
		t.Errorf("committed without a state: %s %+v", m.version, d)
	}
	m.store.broken = errors.New("unreadable")
	if err := m.update("1.0"); !errors.Is(err, bundle.ErrOlder) {
		t.Errorf("older version without a state: %v", err)
	}
}

// After a cut at any write of any step the box starts a whole version, old or
// new, and can be updated from there.
func TestPowerCut(t *testing.T) {
	for _, row := range []struct {
		name   string
		before func(m *machine)
		during func(m *machine)
		starts string // versions that may be started, space separated
	}{
		{"update", func(m *machine) {}, func(m *machine) { must(m.t, m.update("2.0")) }, "1.0 2.0"},
		{"update over an older slot", func(m *machine) {
			must(m.t, m.update("2.0"))
			m.boot()
			must(m.t, m.Commit())
		}, func(m *machine) { must(m.t, m.update("3.0")) }, "2.0 3.0"},
		{"loader counts", func(m *machine) { must(m.t, m.update("2.0")) }, func(m *machine) { m.load() }, "2.0"},
		{"trial begins", func(m *machine) { must(m.t, m.update("2.0")); m.load() },
			func(m *machine) { _, err := m.Begin(); must(m.t, err) }, "2.0"},
		{"commit", func(m *machine) { must(m.t, m.update("2.0")); m.boot() }, func(m *machine) { must(m.t, m.Commit()) }, "2.0"},
		{"give up", func(m *machine) { must(m.t, m.update("2.0")); m.boot() },
			func(m *machine) { must(m.t, m.GiveUp("no WAN")) }, "1.0 2.0"},
		{"the old slot settles", func(m *machine) { must(m.t, m.update("2.0")); m.boot(); must(m.t, m.GiveUp("no WAN")); m.load() },
			func(m *machine) { _, err := m.Begin(); must(m.t, err) }, "1.0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := factory(t)
			m.boot()
			row.before(m)
			m.disk.Record()
			m.store.saved, m.store.at = m.store.saved[len(m.store.saved)-1:], []int{0}
			row.during(m)
			started, cuts := map[string]int{}, 0
			m.disk.Cuts(func(issued int, left *cut.Disk) {
				for _, s := range m.store.possible(issued) {
					cuts++
					started[afterCut(t, from(t, left.Clone(), s))]++
				}
			})
			t.Logf("%d cuts, versions started: %v", cuts, started)
			want := strings.Fields(row.starts)
			for _, v := range want {
				if started[v] == 0 {
					t.Errorf("%s was never started", v)
				}
			}
			if len(started) != len(want) {
				t.Errorf("started %v, want %v", started, want)
			}
		})
	}
}

// afterCut boots, lets a trial fail or commit, and updates; it returns the
// version that was started first.
func afterCut(t *testing.T, m *machine) string {
	t.Helper()
	twin := from(t, m.disk.Clone(), m.store.saved[0])
	d := m.boot()
	first := m.version
	if d.Trial {
		must(t, m.Commit())
		if m.boot(); m.version != first {
			t.Fatalf("%s was committed, %s starts", first, m.version)
		}
		// The same cut, but the new version fails.
		twin.boot()
		must(t, twin.GiveUp("x"))
		if twin.boot(); twin.version == first {
			t.Fatalf("%s failed and starts again", first)
		}
		checkUpdate(t, twin)
	}
	checkUpdate(t, m)
	return first
}

func checkUpdate(t *testing.T, m *machine) {
	t.Helper()
	was := m.version
	must(t, m.update("4.0"))
	if m.boot(); m.version != "4.0" {
		t.Fatalf("after an update from %s starts %s", was, m.version)
	}
	must(t, m.Commit())
	names, err := m.esp().Names()
	must(t, err)
	if len(names) != 2 {
		t.Fatalf("slots after an update: %v", names)
	}
}

// What is wrong with a bundle changes nothing on the disk that matters.
func TestRefusedUpdates(t *testing.T) {
	m := factory(t)
	m.boot()
	good := pack(t, "2.0")
	for name, in := range map[string]io.Reader{
		"cut":           bytes.NewReader(good[:len(good)-1]),
		"flipped byte":  bytes.NewReader(append(bytes.Clone(good[:len(good)-1]), 'x')),
		"trailing byte": bytes.NewReader(append(bytes.Clone(good), 'x')),
		"nothing":       strings.NewReader(""),
		"other content": bytes.NewReader(packFiles(t, "rootfs.img")),
		"two files":     bytes.NewReader(packFiles(t, File, "more.img")),
	} {
		if _, err := m.Update(in, Wanted{}); err == nil {
			t.Errorf("%s: no error", name)
		}
		if d := m.boot(); m.version != "1.0" || d.Trial || d.State.Pending != nil {
			t.Errorf("%s: %s starts, %+v", name, m.version, d)
		}
	}
	m.Running = Name{}
	if _, err := m.Update(bytes.NewReader(good), Wanted{}); !errors.Is(err, ErrNoSlot) {
		t.Errorf("unknown slot: %v", err)
	}
}

func packFiles(t *testing.T, names ...string) []byte {
	t.Helper()
	var files []bundle.Content
	for _, n := range names {
		files = append(files, bundle.Content{Name: n, Data: bytes.NewReader(software("2.0"))})
	}
	var b bytes.Buffer
	must(t, bundle.Write(&b, key, &bundle.Manifest{Board: "b", Version: "2.0", Counter: 8, TrialSeconds: 10}, files...))
	return b.Bytes()
}

// liar loses a byte of what it is given, as worn flash does.
type liar struct {
	*cut.Disk
	lie bool
}

func (l *liar) Forget() error { return nil }

func (l *liar) ReadAt(b []byte, at int64) (int, error) {
	n, err := l.Disk.ReadAt(b, at)
	if i := bytes.Index(b, []byte("version 2.0")); l.lie && i >= 0 {
		b[i] ^= 1
	}
	return n, err
}

func TestReadBack(t *testing.T) {
	m := factory(t)
	m.boot()
	l := &liar{m.disk, true}
	m.Open = func() (Disk, io.Closer, error) { return l, io.NopCloser(nil), nil }
	if err := m.update("2.0"); !errors.Is(err, ErrReadBack) {
		t.Fatalf("flash lies: %v", err)
	}
	if d := m.boot(); m.version != "1.0" || d.Trial {
		t.Errorf("%s starts, %+v", m.version, d)
	}
	for i := range 200 { // numbers go on for ever, letters alternate
		v := "2.0"
		must(t, m.update(v))
		m.boot()
		must(t, m.Commit())
		if want := fmt.Sprintf("waymark-%06d-%c.efi", i+2, "ba"[i%2]); m.Running.String() != want {
			t.Fatalf("runs %s, want %s", m.Running, want)
		}
	}
}
