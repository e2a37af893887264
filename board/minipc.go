package board

import "time"

// Any mini PC with UEFI. Which port is which nobody can know beforehand: the
// first Ethernet device on the bus is the WAN.
var _ = add(Board{
	Name: "pc-x86_64", Arch: "amd64",
	Match: Match{Product: []string{"*"}},
	Spare: []string{"wan0", "lan0", "lan1", "lan2", "lan3", "lan4", "lan5", "lan6"},
	Drivers: []string{
		"e1000", "e1000e", "igb", "igc", "ixgbe", "r8169", "alx", "atl1c", "tg3", "bnx2", "sky2", "virtio_net", "vmxnet3",
		"nvme", "ahci", "sdhci_pci", "sdhci_acpi", "mmc_block", "sd_mod", "usb_storage", "uas", "virtio_blk",
		"xhci_pci", "ehci_pci", "cdc_ether", "cdc_ncm", "cdc_mbim", "qmi_wwan", "rndis_host", "option",
		"r8152", "ax88179_178a", "asix", "i6300esb", "button", "evdev",
	},
	Console: "ttyS0", Watchdog: Watchdog{Module: "iTCO_wdt", Timeout: 30 * time.Second},
	Button: &Button{Device: "Power Button", Key: 116, Hold: 10 * time.Second},
	Flash:  Flash{Layout: LayoutESP, Wait: 5 * time.Second},
})
