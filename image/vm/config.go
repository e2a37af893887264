package vm

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Architectures of machines, as Go and Debian call them.
const (
	AMD64 = "amd64"
	ARM64 = "arm64"
)

// Config is one machine. Paths are of files that exist; images are written to.
type Config struct {
	Arch string // AMD64 or ARM64

	Kernel  string // "": firmware boots the disks
	Initrd  string
	Cmdline string   // kernel arguments besides those of console and report port
	Pflash  []string // flash images: firmware's code (read only), then its variables

	MemoryMB int // 0: 256
	CPUs     int // 0: 1
	NICs     []NIC
	Disks    []string // raw images, virtio, in order: vda, vdb, …

	Watchdog bool     // an i6300esb, whose bite resets the machine
	Once     bool     // a reset ends QEMU instead of booting again
	Args     []string // further arguments of QEMU
}

// NIC is a network card at PCI slot NICSlot + its index on the root bus, so that
// names by bus path are known beforehand.
type NIC struct {
	TAP    *os.File // of TAP; the machine's from Start on
	Netdev string   // without TAP: QEMU's -netdev without its id, as "user"
	MAC    string   // "": 52:54:00:77:6d:00 + index
	Model  string   // "": virtio-net-pci; USBStick
}

// USBStick is the model of a modem in Ethernet mode: a stick of CDC and RNDIS at
// the first port of a USB host in PCI slot USBSlot. There is one at most, on AMD64.
const USBStick = "usb-net"

// USBSlot is the PCI slot of the USB host: its first port is the place of a modem.
const USBSlot = 0x8

// NICSlot is the PCI slot of the first network card: 0000:00:10.0.
const NICSlot = 0x10

// arch is what differs between architectures.
type arch struct {
	program string
	args    []string
	console string   // device of the first serial port in the guest
	report  string   // device of the second
	serial2 []string // arguments that make the second serial port, of chardev "report"
}

var arches = map[string]arch{
	AMD64: {
		program: "qemu-system-x86_64",
		args:    []string{"-machine", "q35", "-cpu", "max"},
		console: "ttyS0", report: "ttyS1",
		serial2: []string{"-serial", "chardev:report"},
	},
	ARM64: {
		program: "qemu-system-aarch64",
		args:    []string{"-machine", "virt", "-cpu", "cortex-a53"},
		console: "ttyAMA0", report: "ttyS0",
		serial2: []string{"-device", "pci-serial,chardev=report,addr=0x8"},
	},
}

// Numbers of the descriptors that QEMU inherits; TAPs follow.
const (
	consoleFD = 3 + iota
	reportFD
	monitorFD
	firstTAP
)

// command returns program and arguments of QEMU. Descriptors are numbered as
// files lists them.
func (c *Config) command() (program string, args []string, err error) {
	a, ok := arches[c.Arch]
	switch {
	case !ok:
		return "", nil, fmt.Errorf("architecture %q: want %s or %s", c.Arch, AMD64, ARM64)
	case c.Kernel == "" && len(c.Disks) == 0:
		return "", nil, errors.New("neither kernel nor disk")
	}
	args = slices.Concat([]string{"-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg,thread=multi"}, a.args)
	args = append(args, "-m", fmt.Sprint(or(c.MemoryMB, 256)), "-smp", fmt.Sprint(or(c.CPUs, 1)),
		"-chardev", fmt.Sprintf("socket,id=console,fd=%d", consoleFD), "-serial", "chardev:console",
		"-chardev", fmt.Sprintf("socket,id=report,fd=%d", reportFD),
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", monitorFD), "-mon", "chardev=monitor,mode=control")
	args = append(args, a.serial2...)
	args = append(args, c.bootArgs(&a)...)
	args = append(args, c.deviceArgs()...)
	return a.program, append(args, c.Args...), nil
}

func (c *Config) bootArgs(a *arch) (args []string) {
	for i, file := range c.Pflash {
		readonly := ""
		if i == 0 {
			readonly = ",readonly=on"
		}
		args = append(args, "-drive", fmt.Sprintf("if=pflash,format=raw,unit=%d,file=%s%s", i, escape(file), readonly))
	}
	if c.Kernel != "" {
		args = append(args, "-kernel", c.Kernel, "-append", c.cmdline(a))
	}
	if c.Initrd != "" {
		args = append(args, "-initrd", c.Initrd)
	}
	if c.Once {
		args = append(args, "-no-reboot")
	}
	return args
}

// cmdline: quiet, because each line of a kernel costs an emulated machine time.
func (c *Config) cmdline(a *arch) string {
	return strings.TrimSpace(fmt.Sprintf("console=%s waymark.report=%s quiet %s", a.console, a.report, c.Cmdline))
}

func (c *Config) deviceArgs() (args []string) {
	tap := firstTAP
	for i, n := range c.NICs {
		netdev := n.Netdev
		if n.TAP != nil {
			netdev = fmt.Sprintf("tap,fd=%d", tap)
			tap++
		}
		model, mac := n.Model, n.MAC
		if model == "" {
			model = "virtio-net-pci"
		}
		if mac == "" {
			mac = fmt.Sprintf("52:54:00:77:6d:%02x", i)
		}
		args = append(args, "-netdev", fmt.Sprintf("%s,id=n%d", netdev, i))
		if model == USBStick {
			args = append(args, "-device", fmt.Sprintf("qemu-xhci,id=usb,addr=%#x", USBSlot),
				"-device", fmt.Sprintf("%s,bus=usb.0,netdev=n%d,mac=%s", model, i, mac))
			continue
		}
		args = append(args, "-device", fmt.Sprintf("%s,netdev=n%d,mac=%s,addr=%#x,romfile=", model, i, mac, NICSlot+i))
	}
	for i, file := range c.Disks {
		args = append(args, "-drive", fmt.Sprintf("if=none,id=d%d,format=raw,file=%s", i, escape(file)),
			"-device", fmt.Sprintf("virtio-blk-pci,drive=d%d,addr=%#x", i, 0xa+i))
	}
	if c.Watchdog {
		args = append(args, "-device", "i6300esb,addr=0x9", "-action", "watchdog=reset")
	}
	return args
}

// escape doubles the commas of a path inside QEMU's lists.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
