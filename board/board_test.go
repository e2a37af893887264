package board_test

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"waymark/board"
)

// One row per board and what it is recognised by.
func TestIdentify(t *testing.T) {
	for _, row := range []struct {
		id   board.Identity
		want string // "": none
	}{
		{board.Identity{Arch: "amd64", Product: "QEMU Standard PC (Q35 + ICH9, 2009)"}, "qemu-x86_64"},
		{board.Identity{Arch: "amd64", Product: "Protectli FW4B"}, "pc-x86_64"},
		{board.Identity{Arch: "amd64", Product: " "}, "pc-x86_64"}, // a firmware that says nothing
		{board.Identity{Arch: "amd64"}, ""},                        // no firmware at all
		{board.Identity{Arch: "arm64", Compatible: []string{"linux,dummy-virt"}}, "qemu-arm64"},
		{board.Identity{Arch: "arm64", Product: "QEMU QEMU Virtual Machine"}, "qemu-arm64"},
		{board.Identity{Arch: "arm64", Compatible: []string{"friendlyarm,nanopi-r5s", "rockchip,rk3568"}}, ""},
		{board.Identity{Arch: "mips", Product: "QEMU x"}, ""},
	} {
		b, err := board.Identify(row.id)
		var unknown board.ErrUnknown
		switch {
		case row.want == "" && !errors.As(err, &unknown):
			t.Errorf("%+v: %v, %v, want ErrUnknown", row.id, b, err)
		case row.want != "" && (err != nil || b.Name != row.want):
			t.Errorf("%+v: %v, %v, want %s", row.id, b, err, row.want)
		}
	}
	if _, err := board.Find("toaster"); err == nil || !strings.Contains(err.Error(), "pc-x86_64, qemu-arm64, qemu-x86_64") {
		t.Errorf("unknown board: %v", err)
	}
}

func TestMachine(t *testing.T) {
	for _, tt := range []struct {
		files map[string]string
		want  board.Identity
	}{
		{nil, board.Identity{Arch: "arm64"}},
		{map[string]string{"sys/class/dmi/id/sys_vendor": "QEMU\n", "sys/class/dmi/id/product_name": "Standard PC\n"},
			board.Identity{Arch: "arm64", Product: "QEMU Standard PC"}},
		{map[string]string{"sys/class/dmi/id/sys_vendor": "\n"}, board.Identity{Arch: "arm64", Product: " "}},
		{map[string]string{"proc/device-tree/compatible": "a,b\x00c\x00"}, board.Identity{Arch: "arm64", Compatible: []string{"a,b", "c"}}},
	} {
		root := fstest.MapFS{}
		for name, text := range tt.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := board.Machine(root, "arm64"); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: got %+v, want %+v", tt.files, got, tt.want)
		}
	}
}

func TestBoardsAreSound(t *testing.T) {
	for _, b := range board.All() {
		if b.Arch == "" || b.Console == "" || b.Flash.Layout == "" || b.Watchdog.Timeout == 0 {
			t.Errorf("%s: incomplete: %+v", b.Name, b)
		}
		names, places := map[string]bool{}, map[string]bool{}
		for _, p := range b.Ports {
			if names[p.Name] || places[p.Place] || len(p.Name) > 15 || board.Place("/sys/devices/pci0000:00/"+strings.TrimPrefix(p.Place, "pci-")) != p.Place {
				t.Errorf("%s: port %+v: twice, too long, or no place", b.Name, p)
			}
			names[p.Name], places[p.Place] = true, true
		}
		if len(b.Ports)+len(b.Spare) == 0 {
			t.Errorf("%s: no ports", b.Name)
		}
		if found, err := board.Find(b.Name); err != nil || found != b {
			t.Errorf("%s: found %v, %v", b.Name, found, err)
		}
	}
}

func TestPlace(t *testing.T) {
	for path, want := range map[string]string{
		"/sys/devices/pci0000:00/0000:00:10.0/virtio2":                            "pci-0000:00:10.0",
		"/sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:11.0/virtio0":   "pci-0000:00:11.0",
		"/sys/devices/pci0000:00/0000:00:1c.0/0000:01:00.0":                       "pci-0000:01:00.0",
		"/sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1.4/2-1.4:1.0":           "pci-0000:00:14.0-usb-1.4:1.0",
		"/sys/devices/platform/soc/11270000.usb/xhci-hcd.0.auto/usb1/1-1/1-1:1.2": "usb-1:1.2",
		"/sys/devices/platform/fe300000.ethernet":                                 "platform-fe300000.ethernet",
		"/sys/devices/platform/soc/15100000.ethernet":                             "platform-15100000.ethernet",
		"/sys/devices/virtual/net/waymark0":                                       "",
		"":                                                                        "",
	} {
		if got := board.Place(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestRename(t *testing.T) {
	qemu, _ := board.Find("qemu-x86_64")
	pc, _ := board.Find("pc-x86_64")
	type devices = []board.Device
	for _, row := range []struct {
		name string
		b    *board.Board
		have devices
		want map[string]string
	}{
		{"by place, whatever the kernel's order", qemu,
			devices{{"eth0", "pci-0000:00:11.0"}, {"eth1", "pci-0000:00:10.0"}, {"lo", ""}, {"waymark0", ""}},
			map[string]string{"eth0": "wan0", "eth1": "lan0"}},
		{"already named", qemu, devices{{"wan0", "pci-0000:00:11.0"}}, map[string]string{}},
		{"a stick is a modem", qemu, devices{{"eth0", "pci-0000:00:08.0-usb-1:1.0"}}, map[string]string{"eth0": "lte0"}},
		{"unknown places keep their names", qemu, devices{{"eth0", "pci-0000:03:00.0"}}, map[string]string{}},
		{"spare names in bus order", pc,
			devices{{"eth0", "pci-0000:02:00.0"}, {"eth1", "pci-0000:01:00.0"}, {"eth2", "pci-0000:03:00.0"}},
			map[string]string{"eth1": "wan0", "eth0": "lan0", "eth2": "lan1"}},
		{"what is plugged in later moves none", pc,
			devices{{"wan0", "pci-0000:02:00.0"}, {"eth0", "pci-0000:01:00.0"}}, map[string]string{"eth0": "lan0"}},
		{"more than names", &board.Board{Spare: []string{"wan0"}},
			devices{{"eth0", "pci-0000:01:00.0"}, {"eth1", "pci-0000:02:00.0"}}, map[string]string{"eth0": "wan0"}},
	} {
		if got := row.b.Rename(row.have); !maps.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
