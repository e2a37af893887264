package board

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
)

var (
	pciName = regexp.MustCompile(`^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`)
	usbName = regexp.MustCompile(`^\d+-([0-9.]+):([0-9.]+)$`)
)

// Place names the place of a device by its path in sysfs (what
// /sys/class/net/NAME/device leads to): "pci-0000:00:10.0", with USB behind it
// "pci-0000:00:14.0-usb-2:1.0" (port, then configuration and interface), or
// "platform-NAME" of a device on the chip. "" for devices that have none.
func Place(path string) string {
	place := ""
	for _, part := range strings.Split(path, "/") {
		switch usb := usbName.FindStringSubmatch(part); {
		case pciName.MatchString(part):
			place = "pci-" + part // behind bridges the last one
		case usb != nil:
			place += fmt.Sprintf("-usb-%s:%s", usb[1], usb[2])
		}
	}
	if place == "" {
		place = platform(path)
	}
	return strings.TrimPrefix(place, "-")
}

func platform(path string) string {
	_, rest, ok := strings.Cut(path, "/devices/platform/")
	if !ok {
		return ""
	}
	parts := strings.Split(rest, "/")
	// The last device that is no bus and no virtio function.
	for _, part := range slices.Backward(parts) {
		if strings.Contains(part, ".") {
			return "platform-" + part
		}
	}
	return "platform-" + parts[0]
}

// Device is a network device of the kernel: its name now and its Place.
type Device struct{ Name, Place string }

// Rename says which devices get which other names. Devices without a place keep
// theirs, and so does a device whose name is taken by one that stays.
func (b *Board) Rename(devices []Device) map[string]string {
	devices = slices.Clone(devices)
	sort.Slice(devices, func(i, j int) bool { return devices[i].Place < devices[j].Place })
	wanted, taken := map[string]string{}, map[string]bool{}
	give := func(d Device, name string) {
		if !taken[name] {
			wanted[d.Name], taken[name] = name, true
		}
	}
	for _, d := range devices {
		for _, p := range b.Ports {
			if d.Place == p.Place && d.Place != "" {
				give(d, p.Name)
			}
		}
		for i, place := range b.Modems {
			if d.Place != "" && strings.HasPrefix(d.Place, place) {
				give(d, fmt.Sprintf("lte%d", i))
			}
		}
	}
	b.spare(devices, wanted, give, taken)
	for old, name := range wanted {
		if old == name {
			delete(wanted, old)
		}
	}
	return wanted
}

// spare names what neither Ports nor Modems list. A device that has one of the
// spare names already keeps it, so that one that is plugged in later moves none.
func (b *Board) spare(devices []Device, wanted map[string]string, give func(Device, string), taken map[string]bool) {
	for _, d := range devices {
		if wanted[d.Name] == "" && slices.Contains(b.Spare, d.Name) {
			give(d, d.Name)
		}
	}
	for _, d := range devices {
		if d.Place == "" || wanted[d.Name] != "" {
			continue
		}
		if i := slices.IndexFunc(b.Spare, func(n string) bool { return !taken[n] }); i >= 0 {
			give(d, b.Spare[i])
		}
	}
}
