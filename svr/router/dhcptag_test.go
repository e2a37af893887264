package router_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"waymark/cmd/lab/world"
	"waymark/svr/lane/lanetest/gen"
	"waymark/svr/router"
)

// onTag is the example with an LTE port whose provider speaks on tag 35.
func onTag() []byte {
	return bytes.Replace(world.Acme(), []byte(`{"name": "lte", "inter-router-security"`), []byte(`{"name": "lte", "vlan": 35, "inter-router-security"`), 1)
}

// A WAN on a tag gets its address there, peers and traffic use it, and a port
// that is taken out of service gives its lease back.
func TestDHCPOnTag(t *testing.T) {
	t.Parallel()
	const address = "100.64.0.33"
	w := newWorld(t, world.Options{NoLTE: true})
	gen.Tagger(t, w.NS(world.ISPLTE), "branch", 35)
	server := kea(t, w, address)
	start(t, w, "hub1", world.Hub, world.Acme())
	serve(t, w, world.Server, "-web", "10.20.0.5:80")
	r := start(t, w, "branch1", world.Branch, onTag())
	leased(t, r, address)
	if err := w.Carrier(world.ISPFiber, "branch", false); err != nil {
		t.Fatal(err)
	}
	interfaceUp(t, r, "fiber", "down", "no-carrier")
	overLTE(t, w, r, address)
	if err := server.WaitOutput("DHCP4_LEASE_ALLOC", patience); err != nil {
		t.Error(err)
	}
	lease := filepath.Join(r.Run, router.LeasePrefix+"wan1.35.json")
	if _, err := os.Stat(lease); err != nil {
		t.Error(err)
	}
	if out, err := w.Exec(world.Branch, "ip", "-4", "-o", "address", "show", "dev", "wan1"); err != nil || out != "" {
		t.Errorf("the kernel has the tag's address: %s, %v", out, err)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	// The device is up: an orderly stop puts down what the router put up.
	if _, err := w.Exec(world.Branch, "ip", "link", "set", "wan1", "up"); err != nil {
		t.Fatal(err)
	}
	off := bytes.Replace(onTag(), []byte(`{"name": "lte", "type": "ethernet"`), []byte(`{"name": "lte", "enabled": false, "type": "ethernet"`), 1)
	start(t, w, "branch1", world.Branch, off)
	if err := server.WaitOutput("DHCP4_RELEASE ", patience); err != nil {
		t.Errorf("%v\n%s", err, server.Output())
	}
	if err := world.Until(patience, "no lease kept", func() (bool, error) {
		_, err := os.Stat(lease)
		return os.IsNotExist(err), nil
	}); err != nil {
		t.Error(err)
	}
}
