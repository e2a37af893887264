package pid1

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waymark/board"
)

func TestStartClock(t *testing.T) {
	at := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	for _, row := range []struct {
		name                         string
		hardware, built, saved, want time.Time
	}{
		{"no battery: 1970", at(1970), at(2026), time.Time{}, at(2026)},
		{"no battery, but a saved clock", at(1970), at(2026), at(2027), at(2027)},
		{"a good clock stays", at(2028), at(2026), at(2027), at(2028)},
		{"a saved clock from before the image", at(1970), at(2026), at(2020), at(2026)},
	} {
		if got := startClock(row.hardware, row.built, row.saved); !got.Equal(row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

func TestSavedClockOnlyMovesForward(t *testing.T) {
	d := &data{root: t.TempDir()}
	for _, row := range []struct{ save, want int64 }{{1000, 1000}, {2000, 2000}, {1500, 2000}, {2001, 2001}} {
		if err := d.saveClock(time.Unix(row.save, 0)); err != nil {
			t.Fatal(err)
		}
		if got := d.clock().Unix(); got != row.want {
			t.Errorf("saved %d: %d, want %d", row.save, got, row.want)
		}
	}
	if err := os.WriteFile(filepath.Join(d.dir("state"), clockFile), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := d.clock(); !got.IsZero() {
		t.Errorf("ruined clock: %v", got)
	}
	var none *data
	if err := none.saveClock(time.Now()); err != nil || !none.clock().IsZero() {
		t.Errorf("without data partition: %v", err)
	}
}

func TestJudgeReason(t *testing.T) {
	words := &Reason{Why: WhyReboot, Detail: "console"}
	dog := &Reason{Why: WhyWatchdog, Detail: "no progress of router"}
	for _, row := range []struct {
		name   string
		words  *Reason
		bitten bool
		kernel string
		want   string
	}{
		{"nothing known", nil, false, "", "power-on"},
		{"ordered", words, false, "", "reboot (console)"},
		{"the dog, and what for", dog, true, "", "watchdog (no progress of router)"},
		{"a dog that cannot say it bit", dog, false, "", "watchdog (no progress of router)"},
		{"the dog without words: a hang of everything", nil, true, "", "watchdog"},
		{"the kernel died, whatever was planned", words, false, "not syncing: Oops", "kernel-panic (not syncing: Oops)"},
	} {
		if got := judgeReason(row.words, row.bitten, row.kernel).String(); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

func TestLastWordsAreTakenOnce(t *testing.T) {
	d := &data{root: t.TempDir()}
	d.dir("state")
	if got := d.takeWords(); got != nil {
		t.Errorf("first boot: %v", got)
	}
	if err := d.writeWords(Reason{Why: WhyPanic, Detail: "x"}); err != nil {
		t.Fatal(err)
	}
	if got := d.takeWords(); got == nil || got.Why != WhyPanic || got.Detail != "x" {
		t.Errorf("took %v", got)
	}
	if got := d.takeWords(); got != nil {
		t.Errorf("took twice: %v", got)
	}
	if err := d.writeWords(Reason{Why: WhyWatchdog}); err != nil {
		t.Fatal(err)
	}
	if err := d.dropWords(); err != nil || d.takeWords() != nil || d.dropWords() != nil {
		t.Errorf("dropped: %v", err)
	}
}

// The data partition is found by the name of a partition, or of an ext4.
func TestFindData(t *testing.T) {
	sys, dev := t.TempDir(), t.TempDir()
	disk := func(name, uevent, label string) {
		super := make([]byte, 4096)
		if label != "" {
			copy(super[1024+0x38:], "\x53\xef")
			copy(super[1024+0x78:], label)
		}
		err := os.MkdirAll(filepath.Join(sys, name), 0o755)
		if err == nil {
			err = os.WriteFile(filepath.Join(sys, name, "uevent"), []byte(uevent), 0o644)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dev, name), super, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	disk("vda", "DEVNAME=vda\nDEVTYPE=disk\n", "")
	disk("vda1", "DEVNAME=vda1\nPARTNAME=waymark-data-old\n", "other")
	if got := findData(sys, dev); got != "" {
		t.Errorf("no such partition: %s", got)
	}
	disk("vdb", "DEVNAME=vdb\n", board.DataLabel)
	if got := findData(sys, dev); got != filepath.Join(dev, "vdb") {
		t.Errorf("by label: %q", got)
	}
	disk("vda2", "DEVNAME=vda2\nPARTNAME=waymark-data\nPARTN=2\n", "")
	if got := findData(sys, dev); got != filepath.Join(dev, "vda2") {
		t.Errorf("by name of the partition: %q", got)
	}
}

// What the kernel said at its end moves out of the firmware's store, and what is
// kept of it is bounded.
func TestCrashRecords(t *testing.T) {
	store, kept := t.TempDir(), t.TempDir()
	write := func(dir, name, text string, at int64) {
		t.Helper()
		file := filepath.Join(dir, name)
		err := os.WriteFile(file, []byte(text), 0o600)
		if err == nil {
			err = os.Chtimes(file, time.Unix(at, 0), time.Unix(at, 0))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if words := crashRecords(store, kept); words != "" {
		t.Errorf("no record: %q", words)
	}
	for n := range int64(2 * maxRecords) {
		write(kept, fmt.Sprintf("dmesg-old-%02d", n), "old", n)
	}
	write(store, "dmesg-efi-1", "<6>[1.0] fine\n<0>[2.0] Kernel panic - not syncing: Attempted to kill init!\n<0>[2.1] more\n", 0)
	write(store, "console-efi-1", "left alone", 0)
	if words := crashRecords(store, kept); words != "not syncing: Attempted to kill init!" {
		t.Errorf("words: %q", words)
	}
	left, _ := os.ReadDir(store)
	if len(left) != 1 || left[0].Name() != "console-efi-1" {
		t.Errorf("in the store: %v", left)
	}
	names, _ := filepath.Glob(filepath.Join(kept, "*"))
	if len(names) != maxRecords || filepath.Base(names[0]) != "dmesg-efi-1" || filepath.Base(names[1]) != fmt.Sprintf("dmesg-old-%02d", maxRecords+1) {
		t.Errorf("kept: %q", names)
	}
	write(store, "dmesg-efi-2", "Kernel panic - again\n", 0)
	if words := crashRecords(store, ""); words != "again" {
		t.Errorf("nowhere to keep it: %q", words)
	}
	if left, _ := os.ReadDir(store); len(left) != 1 {
		t.Errorf("a store that fills up: %v", left)
	}
}
