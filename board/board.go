// Package board says what differs per hardware: how a board is recognised, what
// its ports are called, which modules, watchdog, console, LEDs, button and flash
// it has. A board is one file of data and one row in the test of this package;
// nothing else knows boards by name.
package board

import (
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"strings"
	"time"
)

// Board is one kind of hardware.
type Board struct {
	Name string
	Arch string // "amd64", "arm64", as Go says it
	Match

	// Ports are the network devices by their place, Spare the names of all others
	// in the order of their places.
	Ports []Port
	Spare []string
	// Modems are the places where a cellular modem may be plugged in: a network
	// device there is called lte0, lte1, … in this order.
	Modems []string

	// Modules are loaded at boot in this order; one that is built into the kernel
	// is as good. Drivers lie in the image and are loaded when a device asks for
	// them by its modalias.
	Modules []Module
	Drivers []string

	Console  string // serial port of console and login, below /dev
	Watchdog Watchdog
	LEDs     map[Role]string // names below /sys/class/leds
	Button   *Button         // nil: none
	Flash    Flash
	Emulated string // the machine of image/vm that is this board; "": real hardware
}

// Port is a network device at a place (Place) of the hardware.
type Port struct{ Name, Place string }

// Module is a kernel module that is loaded at boot.
type Module struct {
	Name   string
	Params string
	Fatal  bool // the box is of no use without it
}

// Role is what a LED tells.
type Role string

// The roles of LEDs.
const (
	Power Role = "power"
	WAN   Role = "wan"
	Alarm Role = "alarm"
)

// Button is one that resets to factory settings when held.
type Button struct {
	Device string        // input device by its name
	Key    uint16        // code of linux/input-event-codes.h
	Hold   time.Duration // how long for a factory reset
}

// Watchdog is the device that resets a box whose software is stuck.
type Watchdog struct {
	Module  string        // of the hardware; "": built in or none
	Timeout time.Duration // without food until it bites
}

// Layout is how slots lie on the flash.
type Layout string

// The layouts of flash.
const (
	// LayoutESP: a GPT with an EFI system partition, whose /EFI/Linux holds the
	// slots as unified kernel images, and the data partition.
	LayoutESP Layout = "esp"
	// LayoutFIT: slots as FIT images beside U-Boot.
	LayoutFIT Layout = "fit"
)

// Flash is where slots and data lie.
type Flash struct {
	Layout Layout
	Wait   time.Duration // how long the disk may take to appear at boot
}

// DataLabel is the label of the data partition, of GPT or file system.
const DataLabel = "waymark-data"

// Match tells boards apart. An empty Match fits nothing by itself.
type Match struct {
	// Product are beginnings of "VENDOR PRODUCT" of the DMI; "*" fits every DMI
	// that no other board fits.
	Product []string
	// Compatible are entries of the device tree's root.
	Compatible []string
}

// Identity is what a machine says about itself.
type Identity struct {
	Arch       string
	Product    string // DMI "VENDOR PRODUCT", "" without
	Compatible []string
}

var all = map[string]*Board{}

// add lists a board. Names are unique.
func add(b Board) *Board {
	if all[b.Name] != nil {
		panic("board " + b.Name + " twice")
	}
	all[b.Name] = &b
	return &b
}

// All returns the boards by name.
func All() []*Board {
	list := make([]*Board, 0, len(all))
	for _, b := range all {
		list = append(list, b)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// ErrUnknown is the error of Find and Identify.
type ErrUnknown string

// Error says what is not known and what is.
func (e ErrUnknown) Error() string {
	var names []string
	for _, b := range All() {
		names = append(names, b.Name)
	}
	return fmt.Sprintf("unknown board %q; known: %s", string(e), strings.Join(names, ", "))
}

// Find returns the board of a name, or an ErrUnknown.
func Find(name string) (*Board, error) {
	if b := all[name]; b != nil {
		return b, nil
	}
	return nil, ErrUnknown(name)
}

// Machine reads what the machine with this root says about itself: /sys and /proc.
func Machine(root fs.FS, arch string) Identity {
	text := func(name string) string {
		b, _ := fs.ReadFile(root, name) // machines have one or the other
		return string(b)
	}
	id := Identity{Arch: arch}
	if vendor := text("sys/class/dmi/id/sys_vendor"); vendor != "" {
		id.Product = strings.TrimSpace(vendor) + " " + strings.TrimSpace(text("sys/class/dmi/id/product_name"))
	}
	if list := strings.TrimRight(text("proc/device-tree/compatible"), "\x00"); list != "" {
		id.Compatible = strings.Split(list, "\x00")
	}
	return id
}

// Identify returns the board that a machine is, or an ErrUnknown.
func Identify(id Identity) (*Board, error) {
	var other *Board
	for _, b := range All() {
		switch {
		case b.Arch != id.Arch:
		case b.fits(id):
			return b, nil
		case id.Product != "" && slices.Contains(b.Product, "*"):
			other = b
		}
	}
	if other != nil {
		return other, nil
	}
	return nil, ErrUnknown(strings.Join(append([]string{id.Product}, id.Compatible...), " "))
}

func (m *Match) fits(id Identity) bool {
	for _, p := range m.Product {
		if p != "*" && strings.HasPrefix(id.Product, p) {
			return true
		}
	}
	return slices.ContainsFunc(m.Compatible, func(c string) bool { return slices.Contains(id.Compatible, c) })
}
