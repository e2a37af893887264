package board

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// isPCI tells the name of a function on a PCI bus: domain, bus, device and function, as
// "0000:00:1f.2".
func isPCI(name string) bool {
	const form = "0000:00:00."
	if len(name) != len(form)+1 || name[len(form)] < '0' || name[len(form)] > '7' {
		return false
	}
	for i := range len(form) {
		hex := name[i] >= '0' && name[i] <= '9' || name[i] >= 'a' && name[i] <= 'f'
		if form[i] == '0' && !hex || form[i] != '0' && name[i] != form[i] {
			return false
		}
	}
	return true
}

// usbPort returns port, configuration and interface of a USB function's name: "2:1.0"
// of "1-2:1.0". ok is false for what is none.
func usbPort(name string) (port string, ok bool) {
	bus, port, ok := strings.Cut(name, "-")
	path, function, two := strings.Cut(port, ":")
	return port, ok && two && only(bus, digits) && only(path, digits+".") && only(function, digits+".")
}

const digits = "0123456789"

// only tells whether s is made of some characters, and not empty.
func only(s, chars string) bool { return s != "" && strings.Trim(s, chars) == "" }

// Place names the place of a device by its path in sysfs (what
// /sys/class/net/NAME/device leads to): "pci-0000:00:10.0", with USB behind it
// "pci-0000:00:14.0-usb-2:1.0" (port, then configuration and interface), or
// "platform-NAME" of a device on the chip. "" for devices that have none.
func Place(path string) string {
	place := ""
	for _, part := range strings.Split(path, "/") {
		switch port, usb := usbPort(part); {
		case isPCI(part):
			place = "pci-" + part // behind bridges the last one
		case usb:
			place += "-usb-" + port
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
