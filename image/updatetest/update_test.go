package updatetest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waymark/image/vm"
	"waymark/image/vm/vmtest"
)

// box is a machine that was started from its disk, by firmware.
type box struct {
	*vm.Machine
	t     testing.TB
	boots int // starts of the loader that were accounted for
}

const firmware = "/usr/share/OVMF/"

// power switches a box on. The card of the LTE port is one whose driver is not
// loaded at boot but on demand; it has a DHCP server.
func power(t *testing.T, disk string) *box {
	t.Helper()
	variables := filepath.Join(t.TempDir(), "vars.fd")
	must(t, os.WriteFile(variables, read(t, firmware, "OVMF_VARS_4M.fd"), 0o600))
	c := vm.Config{Arch: vm.AMD64, Pflash: []string{firmware + "OVMF_CODE_4M.fd", variables}, Disks: []string{disk}, Watchdog: true,
		NICs: []vm.NIC{{Netdev: "user,restrict=on"}, {Netdev: "user,restrict=on"}, {Netdev: "user,restrict=on", Model: "e1000"}}}
	return &box{Machine: vmtest.Start(t, c), t: t}
}

// starts counts how often the firmware started the loader since it was last asked.
func (b *box) starts() int {
	n := bytes.Count(b.Console.Said(), []byte("BdsDxe: starting"))
	defer func() { b.boots = n }()
	return n - b.boots
}

// run runs a command on the box.
func (b *box) run(args ...string) (how, out string) {
	b.t.Helper()
	line, err := json.Marshal(map[string]any{"do": "run", "args": args})
	must(b.t, err)
	_, err = b.Report.Write(append(line, '\n'))
	must(b.t, err)
	var ran struct{ How, Out string }
	e := vmtest.Await(b.t, b.Machine, "ran")
	must(b.t, e.Detail(&ran))
	return ran.How, ran.Out
}

// system is what `show system` says of slots.
type system struct {
	Slot           string `json:"slot"`
	Trial          bool   `json:"trial"`
	LastBootReason string `json:"last-boot-reason"`
	RefusedVersion string `json:"refused-version"`
	RefusedReason  string `json:"refused-reason"`
}

func (b *box) system() system {
	b.t.Helper()
	how, out := b.run("show", "system", "-json")
	var s []system
	if err := json.Unmarshal([]byte(out), &s); how != "exit" || err != nil || len(s) != 1 {
		b.t.Fatalf("show system: %s, %v\n%s", how, err, out)
	}
	return s[0]
}

// update offers a bundle that the box takes.
func (b *box) update(name string) {
	b.t.Helper()
	if how, out := b.run("update", "/data/offers/"+name); how != "exit" {
		b.t.Fatalf("update %s: %s\n%s", name, how, out)
	}
}

// failures are versions that fail their trial, each in its way.
var failures = []struct {
	name  string
	trial int // seconds
	make  func(t testing.TB, f *factory) []byte
	boots int // until the old slot is back
	why   string
}{
	{"kernel-panics", 300, func(t testing.TB, f *factory) []byte { return f.spoil(t, "rdinit=/none root=/dev/none") }, 3,
		"it was started 2 times and its init never came to its trial"},
	{"init-crashes", 300, func(t testing.TB, f *factory) []byte { return f.spoil(t, "", f.saboteur(t, "crash")...) }, 3,
		"it was reset while: "},
	{"router-hangs", 600, func(t testing.TB, f *factory) []byte { return f.spoil(t, "", f.saboteur(t, "hang")...) }, 3,
		"the router made no progress|no progress of router"},
	{"driver-left-out", 30, func(t testing.TB, f *factory) []byte {
		return f.spoil(t, "", overlay{f.driver(t, "e1000"), []byte("left out")})
	}, 2, "lte had an address before and has none"},
}

// refusals are bundles that the box does not even write.
func refusals(f *factory) map[string]struct {
	offer
	why string
} {
	small := func(change func(*offer)) offer {
		o := good("9.9.9", 60, []byte("never started"))
		change(&o)
		return o
	}
	return map[string]struct {
		offer
		why string
	}{
		"other-board":     {small(func(o *offer) { o.manifest.Board = "qemu-arm64" }), "it is for qemu-arm64, this is qemu-x86_64"},
		"wrong-signature": {small(func(o *offer) { o.key = key("theirs") }), "the signature is not by a key that this box trusts"},
		"flipped-byte":    {small(func(o *offer) { o.flip = true }), "the file is not the one that was signed"},
		"older-counter":   {small(func(o *offer) { o.manifest.Counter = counter - 1 }), "its counter is 6, ours 7"},
	}
}

func TestUpdates(t *testing.T) {
	f := build(t)
	sameTwice(t, f)
	offers := map[string]offer{"same": good(version, 120, f.spoil(t, ""))}
	same := offers["same"]
	same.manifest.Counter = counter
	offers["same"] = same
	for _, x := range failures {
		offers[x.name] = good("2.0."+x.name, x.trial, x.make(t, f))
	}
	for name, x := range refusals(f) {
		offers[name] = x.offer
	}
	path := f.medium(t, offers)
	b := power(t, path)
	vmtest.Await(t, b.Machine, "healthy")
	if s := b.system(); s != (system{Slot: "a", LastBootReason: "power-on"}) {
		t.Errorf("first start: %+v", s)
	}
	b.refuses(f)
	b.commits()
	for _, x := range failures {
		b.rollsBack(x.name, x.boots, x.why)
	}
	if t.Failed() {
		return
	}
	b.Close()
	madeAnew(t, path)
}

// refuses: nothing changes, and the box goes on.
func (b *box) refuses(f *factory) {
	for name, x := range refusals(f) {
		how, out := b.run("update", "/data/offers/"+name)
		if how != "exit code 1" || !strings.Contains(out, x.why) {
			b.t.Errorf("%s: %s, want %q\n%s", name, how, x.why, out)
		}
	}
}

// commits: the same image again, in the other slot.
func (b *box) commits() {
	b.t.Helper()
	b.starts()
	b.update("same")
	vmtest.Await(b.t, b.Machine, "committed")
	if s, n := b.system(), b.starts(); s != (system{Slot: "b", LastBootReason: "update to " + version}) || n != 1 {
		b.t.Errorf("same image, after %d starts: %+v", n, s)
	}
}

// rollsBack: the old slot is back by itself, says why, and refuses the version.
func (b *box) rollsBack(name string, boots int, why string) {
	b.t.Helper()
	b.starts()
	b.update(name)
	vmtest.Await(b.t, b.Machine, "rolled-back")
	vmtest.Await(b.t, b.Machine, "healthy")
	s, n := b.system(), b.starts()
	fits := func(text string) bool {
		for _, w := range strings.Split(why, "|") {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	if s.Slot != "b" || s.Trial || s.RefusedVersion != "2.0."+name || !fits(s.RefusedReason) || !fits(s.LastBootReason) || n != boots {
		b.t.Errorf("%s, after %d starts, want %d and %q: %+v", name, n, boots, why, s)
	}
	if how, out := b.run("update", "/data/offers/"+name); how != "exit code 1" || !fits(out) {
		b.t.Errorf("%s again: %s\n%s", name, how, out)
	}
}

// madeAnew ruins the data partition: the box makes it anew and goes on, by the
// configuration that is built in.
func madeAnew(t *testing.T, path string) {
	t.Helper()
	d, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	defer d.Close()
	_, err = d.WriteAt(make([]byte, 1<<20), 97<<20)
	must(t, err)
	b := power(t, path)
	vmtest.Await(t, b.Machine, "data-made-anew")
	vmtest.Await(t, b.Machine, "healthy")
	if s := b.system(); s.Slot != "b" || s.Trial {
		t.Errorf("with a new data partition: %+v", s)
	}
}
