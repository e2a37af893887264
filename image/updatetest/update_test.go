package updatetest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
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

// limit is for events that are several boots away.
const limit = 4 * vmtest.Limit

func (b *box) await(event string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), limit)
	defer cancel()
	if _, err := b.Report.Await(ctx, event); err != nil {
		b.t.Fatal(err)
	}
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

// failure is a version that fails its trial.
type failure struct {
	name  string
	trial int // seconds
	make  func(t testing.TB, f *factory) []byte
	boots int    // until the old slot is back
	why   string // as `show system` says it
}

var failures = []failure{
	{"kernel-panics", 300, func(t testing.TB, f *factory) []byte { return f.spoil(t, "rdinit=/none root=/dev/none") }, 3,
		"it was started 2 times and its init never came to its trial"},
	{"init-crashes", 300, func(t testing.TB, f *factory) []byte { return f.spoil(t, "", f.saboteur(t, "crash")...) }, 3,
		"init crashed: SIGABRT: abort"},
	{"router-hangs", 600, func(t testing.TB, f *factory) []byte { return f.spoil(t, "", f.saboteur(t, "hang")...) }, 3,
		"no progress of router, the watchdog reset it"},
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

// Each start of a box takes half a minute on a processor that is emulated: with
// SOAK set all failures are tried, otherwise those that no other test comes near:
// of a kernel and of an init that never run. What a router that hangs costs boxtest
// tells, and image/slot what a WAN does that is missing. Two boxes at a time,
// because each waits most of its life for one processor.
func TestSoakUpdates(t *testing.T) {
	first, second := []string{"kernel-panics"}, []string{"init-crashes"}
	whole := os.Getenv("SOAK") != ""
	if whole {
		first, second = []string{"kernel-panics", "driver-left-out"}, []string{"init-crashes", "router-hangs"}
	}
	f := build(t)
	sameTwice(t, f)
	t.Run("refused, committed, no kernel, no driver", func(t *testing.T) {
		t.Parallel()
		same := good(version, 120, f.spoil(t, ""))
		same.manifest.Counter = counter
		offers := map[string]offer{"same": same}
		for name, x := range refusals(f) {
			offers[name] = x.offer
		}
		b := power(t, f.offering(t, offers, first...))
		b.await("forwarding")
		if s := b.system(); s != (system{Slot: "a", LastBootReason: "power-on"}) {
			t.Errorf("first start: %+v", s)
		}
		b.refuses(f)
		b.commits()
		b.rollsBack("b", first...)
	})
	t.Run("init crashes, router hangs, data ruined", func(t *testing.T) {
		t.Parallel()
		path := f.offering(t, map[string]offer{}, second...)
		b := power(t, path)
		b.await("forwarding")
		b.rollsBack("a", second...)
		b.Close()
		if whole {
			madeAnew(t, path)
		}
	})
}

// offering is a medium with the offers, and with those of the failures named.
func (f *factory) offering(t testing.TB, offers map[string]offer, names ...string) string {
	t.Helper()
	for _, x := range failures {
		if slices.Contains(names, x.name) {
			offers[x.name] = good("2.0."+x.name, x.trial, x.make(t, f))
		}
	}
	return f.medium(t, offers)
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
	b.await("committed")
	if s, n := b.system(), b.starts(); s != (system{Slot: "b", LastBootReason: "update to " + version}) || n != 1 {
		b.t.Errorf("same image, after %d starts: %+v", n, s)
	}
}

// rollsBack: the old slot is back by itself, says why, and refuses the version.
func (b *box) rollsBack(slot string, names ...string) {
	b.t.Helper()
	for _, x := range failures {
		if !slices.Contains(names, x.name) {
			continue
		}
		b.starts()
		b.update(x.name)
		b.await("rolled-back")
		b.await("forwarding")
		s, n := b.system(), b.starts()
		if s.Slot != slot || s.Trial || s.RefusedVersion != "2.0."+x.name || !strings.Contains(s.RefusedReason, x.why) || !strings.Contains(s.LastBootReason, x.why) || n != x.boots {
			b.t.Errorf("%s, after %d starts, want %d and %q: %+v", x.name, n, x.boots, x.why, s)
		}
		if how, out := b.run("update", "/data/offers/"+x.name); how != "exit code 1" || !strings.Contains(out, x.why) {
			b.t.Errorf("%s again: %s\n%s", x.name, how, out)
		}
		b.t.Logf("%s: %d starts, %s", x.name, n, s.LastBootReason)
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
	b.await("data-made-anew")
	b.await("forwarding")
	if s := b.system(); s.Slot != "a" || s.Trial {
		t.Errorf("with a new data partition: %+v", s)
	}
}
