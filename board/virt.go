package board

import "time"

// The machine virt of QEMU, as image/vm starts it.
var _ = add(Board{
	Name: "qemu-arm64", Arch: "arm64", Emulated: "arm64",
	Match: Match{Product: []string{"QEMU "}, Compatible: []string{"linux,dummy-virt"}},
	Ports: []Port{
		{"lan0", "pci-0000:00:10.0"}, {"wan0", "pci-0000:00:11.0"}, {"wan1", "pci-0000:00:12.0"}, {"lan1", "pci-0000:00:13.0"},
	},
	Modems: []string{"pci-0000:00:08.0-usb-"},
	Modules: []Module{{"virtio_pci", "", true}, {"virtio_net", "", true}, {"virtio_blk", "", false},
		{"virtio_rng", "", false}, {"rtc_pl031", "", false}},
	Drivers: []string{"xhci_pci", "cdc_ether", "cdc_ncm", "rndis_host"},
	Console: "ttyAMA0", Watchdog: Watchdog{Module: "i6300esb", Timeout: 20 * time.Second},
	Flash: Flash{Layout: LayoutFIT},
})
