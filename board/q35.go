package board

import "time"

// The machine q35 of QEMU, as image/vm starts it: network cards at PCI slot 10
// (hexadecimal) and up.
var _ = add(Board{
	Name: "qemu-x86_64", Arch: "amd64", Emulated: "amd64",
	Match: Match{Product: []string{"QEMU "}},
	Ports: []Port{
		{"lan0", "pci-0000:00:10.0"}, {"wan0", "pci-0000:00:11.0"}, {"wan1", "pci-0000:00:12.0"}, {"lan1", "pci-0000:00:13.0"},
	},
	Modems:  []string{"pci-0000:00:08.0-usb-"},
	Modules: []Module{{"virtio_pci", "", true}, {"virtio_net", "", true}, {"virtio_blk", "", false}, {"virtio_rng", "", false}},
	Drivers: []string{"e1000", "e1000e", "xhci_pci", "cdc_ether", "cdc_ncm", "rndis_host"},
	Console: "ttyS0", Watchdog: Watchdog{Module: "i6300esb", Timeout: 20 * time.Second},
	Flash: Flash{Layout: LayoutESP},
})
