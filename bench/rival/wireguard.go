// Package rival sets up what Waymark is compared with.
package rival

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"

	"waymark/bench/field"
)

const (
	wgDevice = "wg0"
	wgMTU    = 1420 // wireguard-go's own default
	wgPort   = 51820
	wgReady  = "running"
)

// RunWireGuard is wireguard-go's process: a TUN device and the device of its
// library, configured by the file, until a signal ends it. Call it in the
// router's network namespace.
func RunWireGuard(file string) error {
	config, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	t, err := tun.CreateTUN(wgDevice, wgMTU)
	if err != nil {
		return fmt.Errorf("make %s: %w", wgDevice, err)
	}
	d := device.NewDevice(t, conn.NewDefaultBind(), device.NewLogger(device.LogLevelError, ""))
	defer d.Close()
	if err := d.IpcSet(string(config)); err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	if err := d.Up(); err != nil {
		return fmt.Errorf("bring up: %w", err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	fmt.Println(wgReady)
	select {
	case <-stop:
	case <-d.Wait():
	}
	return nil
}

// WireGuard makes the two routers of a line into wireguard-go peers with kernel
// forwarding around them. how starts their processes.
func WireGuard(l *field.Line, how func(func() error) error) error {
	if err := Kernel(l); err != nil {
		return err
	}
	var keys [2]*ecdh.PrivateKey
	for i := range keys {
		k, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			return fmt.Errorf("make key: %w", err)
		}
		keys[i] = k
	}
	ends := []struct{ ns, peer, far string }{
		{l.West, field.EastWAN.String(), "10.2.0.0/16"}, {l.East, field.WestWAN.String(), "10.1.0.0/16"},
	}
	for i, e := range ends {
		config := fmt.Sprintf("private_key=%x\nlisten_port=%d\npublic_key=%s\nendpoint=%s:%d\nallowed_ip=10.1.0.0/16\nallowed_ip=10.2.0.0/16\n",
			keys[i].Bytes(), wgPort, hex.EncodeToString(keys[1-i].PublicKey().Bytes()), e.peer, wgPort)
		if err := how(func() error { return startWireGuard(l, e.ns, config) }); err != nil {
			return err
		}
		if err := l.World.IP(e.ns, "link set dev "+wgDevice+" up", "route replace "+e.far+" dev "+wgDevice); err != nil {
			return err
		}
	}
	_, err := l.World.Exec(l.Client, "ping", "-c", "3", "-i", "0.2", field.ServerAddr.String())
	return err
}

func startWireGuard(l *field.Line, ns, config string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own binary: %w", err)
	}
	file := l.World.Path("wireguard-" + ns)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	p, err := l.World.Start(ns, self, "wireguard", file)
	if err != nil {
		return err
	}
	return p.WaitOutput(wgReady, 10*time.Second)
}
