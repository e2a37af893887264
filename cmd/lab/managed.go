package main

import (
	"context"
	"errors"
	"time"

	"waymark/cmd/lab/enrol"
	"waymark/cmd/lab/world"
	"waymark/image/vm"
)

// take is a step of the scene with a conductor.
func take(do func(*enrol.Scene, context.Context) (string, error)) func(context.Context, *lab) (string, error) {
	return func(ctx context.Context, l *lab) (string, error) { return do(&l.scene, ctx) }
}

// enrolSteps are upSteps where the branch knows nothing but its key.
var enrolSteps = []step{
	{name: worldStep, run: makeWorld},
	{name: "conductor", limit: time.Minute, run: startConductor(enrol.LTE, world.Acme(), enrol.Hears)},
	{name: "isp-lte", run: take((*enrol.Scene).ServeWAN)},
	{name: "hub1", run: startManagedHub},
	{name: "factory", run: take((*enrol.Scene).StartProcess)},
	{name: "pending", limit: time.Minute, run: take((*enrol.Scene).Pending)},
	{name: "accepted", limit: time.Minute, run: take((*enrol.Scene).Accept)},
	{name: "configured", limit: 2 * time.Minute, run: configureProcess},
	{name: "paths", run: pathsUp},
	{name: "servers", run: startServers},
}

// managedSteps show what the conductor hears of a box.
var managedSteps = []step{
	{name: "alarm", limit: time.Minute, run: take((*enrol.Scene).AlarmRaised)},
	{name: "moved", limit: 2 * time.Minute, run: take((*enrol.Scene).AddressMoves)},
	{name: "cleared", limit: time.Minute, run: take((*enrol.Scene).AlarmCleared)},
}

// machineStep bounds what an emulated machine does; it is slow, and slower beside others.
const machineStep = 2 * time.Minute

// imageSteps are enrolSteps with a branch that is the image in a machine, and what
// else it shows: the hub reaches it at an address that nobody configured.
var imageSteps = []step{
	{name: worldStep, run: makeWorld},
	{name: "conductor", limit: time.Minute, run: startConductor(enrol.Fiber, world.AcmeDHCP(enrol.ConductorAddr), enrol.Emulated)},
	{name: "isp-fiber", run: take((*enrol.Scene).ServeWAN)},
	{name: "isp-lte", run: serveLTE},
	{name: "hub1", run: startManagedHub},
	{name: "servers", run: startServers},
	{name: "power on", limit: machineStep, run: powerOn},
	{name: "pending", limit: machineStep, run: take((*enrol.Scene).Pending)},
	{name: "accepted", limit: machineStep, run: take((*enrol.Scene).Accept)},
	{name: "configured", limit: machineStep, run: take((*enrol.Scene).Configure)},
	{name: "paths", limit: machineStep, run: take((*enrol.Scene).HubReaches)},
}

// shownByImage go through the machine.
var shownByImage = []step{
	{name: "http", run: webPage("http://10.20.0.5/", openPage, "192.168.1.10")},
	{name: "http ipv6", run: webPage("http://[fd00:20::5]/", openPage, "fd00:1::10")},
	{name: "payroll", run: webPage("http://10.20.0.80:8443/", secretPage, "192.168.1.10")},
	{name: "ping", run: pings("10.20.0.5")},
	{name: "traceroute", run: traceroute},
	{name: "transfer", limit: machineStep, run: transfer(20_000_000)},
	{name: "alarm", limit: machineStep, run: take((*enrol.Scene).AlarmRaised)},
	{name: "moved", limit: machineStep, run: take((*enrol.Scene).AddressMoves)},
	{name: "cleared", limit: machineStep, run: take((*enrol.Scene).AlarmCleared)},
	{name: "locked out", limit: machineStep, run: take((*enrol.Scene).LockOut)},
	{name: "http again", run: webPage("http://10.20.0.5/", openPage, "192.168.1.10")},
}

// startConductor sets the scene, in which the hub follows within a time, and starts
// an empty conductor on the internet.
func startConductor(wan enrol.WAN, config []byte, follows time.Duration) func(context.Context, *lab) (string, error) {
	return func(ctx context.Context, l *lab) (string, error) {
		l.scene.World, l.scene.WAN, l.scene.Config, l.scene.Follows = l.w, wan, config, follows
		return l.scene.StartConductor(ctx)
	}
}

func startManagedHub(ctx context.Context, l *lab) (string, error) {
	figure, err := l.scene.StartHub(ctx)
	l.hub = l.scene.Hub
	return figure, err
}

// configureProcess takes what init started instead of the factory's router.
func configureProcess(ctx context.Context, l *lab) (string, error) {
	figure, err := l.scene.Configure(ctx)
	if err != nil {
		return "", err
	}
	p, ok := l.scene.Branch.(*enrol.Process)
	if !ok {
		return "", errors.New("the branch is no process")
	}
	l.branch = p.Router()
	return figure, nil
}

// powerOn starts the image; the machine is gone when the lab is.
func powerOn(ctx context.Context, l *lab) (string, error) {
	return l.scene.PowerOn(enrol.Image{Board: imageBoard, Dir: l.image, Start: func(c vm.Config) (m *vm.Machine, err error) {
		l.box, err = vm.Start(context.Background(), c)
		return l.box, err
	}})(ctx)
}

// imageBoard is the board whose image the lab boots.
const imageBoard = "qemu-x86_64"
