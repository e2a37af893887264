package modules_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"waymark/image/modules"
)

const (
	dep = `kernel/net/core/failover.ko.xz:
kernel/drivers/net/net_failover.ko.xz: kernel/net/core/failover.ko.xz
kernel/drivers/net/virtio_net.ko.xz: kernel/drivers/net/net_failover.ko.xz kernel/net/core/failover.ko.xz
kernel/drivers/watchdog/i6300esb.ko.xz:
kernel/drivers/net/usb/cdc-ether.ko.xz: kernel/drivers/net/usb/usbnet.ko.xz
kernel/drivers/net/usb/usbnet.ko.xz:
`
	builtin = "kernel/drivers/virtio/virtio-pci.ko\n"
	aliases = `# Aliases extracted from modules themselves.
alias virtio:d00000001v* virtio_net
alias pci:v00008086d000025ABsv*sd*bc*sc*i* i6300esb
alias usb:v*p*d*dc*dsc*dp*ic02isc06ip00in* cdc_ether
alias usb:v12D1p[0-9]*d*dc*dsc*dp*ic*isc*ip*in* cdc_ether
`
)

func index() *modules.Index {
	return modules.Parse([]byte(dep), []byte(builtin), []byte(aliases))
}

func TestOrder(t *testing.T) {
	for name, want := range map[string]string{
		"virtio_net": "failover net_failover virtio_net",
		"i6300esb":   "i6300esb",
		"virtio_pci": "", // built in
		"cdc_ether":  "usbnet cdc_ether",
		"cdc-ether":  "usbnet cdc_ether",
	} {
		files, err := index().Order(name)
		var got []string
		for _, f := range files {
			got = append(got, modules.Name(f))
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	var none modules.ErrNone
	if _, err := index().Order("warp_drive"); !errors.As(err, &none) {
		t.Errorf("missing module: %v", err)
	}
}

func TestFor(t *testing.T) {
	for modalias, want := range map[string][]string{
		"virtio:d00000001v00001AF4":                             {"virtio_net"},
		"pci:v00008086d000025ABsv00001AF4sd00001100bc08sc80i00": {"i6300esb"},
		"usb:v0525pA4A2d0100dc02dsc00dp00ic02isc06ip00in00":     {"cdc_ether"},
		"usb:v12D1p1234d0100dc02dsc00dp00ic02isc06ip00in00":     {"cdc_ether"}, // by two aliases, once
		"platform:nothing":                                      nil,
	} {
		if got := index().For(modalias); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", modalias, got, want)
		}
	}
}

// What is pruned loads like the whole.
func TestPrune(t *testing.T) {
	never := func(string) bool { return false }
	p, err := index().Prune([]string{"virtio_net", "virtio_pci"}, never)
	if err != nil || len(p.Files) != 3 || !strings.HasSuffix(p.Files[0], ".xz") {
		t.Fatalf("%+v, %v", p, err)
	}
	small := modules.Parse(p.Dep, []byte(builtin), p.Alias)
	order, err := small.Order("virtio_net")
	if err != nil || len(order) != 3 || order[0] != "kernel/net/core/failover.ko" {
		t.Errorf("pruned: %q, %v", order, err)
	}
	if got := small.For("virtio:d00000001v00001AF4"); len(got) != 1 {
		t.Errorf("pruned aliases: %q", got)
	}
	if got := small.For("pci:v00008086d000025ABsv00001AF4sd00001100bc08sc80i00"); got != nil {
		t.Errorf("alias of a module that is not there: %q", got)
	}
	if _, err := index().Prune([]string{"warp_drive"}, never); err == nil {
		t.Error("missing module: no error")
	}
	if _, err := index().Prune([]string{"warp_drive"}, func(string) bool { return true }); err != nil {
		t.Errorf("missing optional module: %v", err)
	}
}
