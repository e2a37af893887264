package main

import (
	"net/netip"
	"time"

	"waymark/bench/field"
	"waymark/bench/host"
	"waymark/bench/rival"
	"waymark/bench/subject"
	"waymark/cmd/lab/world"
)

func (b *bench) transferParts() []part {
	return []part{
		{[]string{tcpKernel}, b.kernelTCP},
		{[]string{tcpWG}, b.wireGuardTCP},
		{[]string{tcpClear}, b.serviceTCP},
		{[]string{tcpTransform}, b.transformTCP},
		{[]string{tcpFast, tcpCBC, tcpGCM, tcpSix}, b.fastTCP},
	}
}

// transfer adds a TCP stream to an address of the server.
func (b *bench) transfer(name string, l *field.Line, to netip.Addr, port uint16) {
	at := netip.AddrPortFrom(to, port)
	b.add(name, bits, func() (float64, error) { return host.Transfer(l, at, b.warm, b.pace.transfer) })
}

func (b *bench) kernelTCP() error {
	l, err := field.New(b.w, "kt", 2, false)
	if err != nil {
		return err
	}
	b.transfer(tcpKernel, l, field.ServerAddr, subject.ClearPort)
	return rival.Kernel(l)
}

func (b *bench) wireGuardTCP() error {
	l, err := field.New(b.w, "wt", 2, false)
	if err != nil {
		return err
	}
	b.transfer(tcpWG, l, field.ServerAddr, subject.ClearPort)
	return rival.WireGuard(l, field.RealTime)
}

// routers makes a line of two Waymark routers.
func (b *bench) routers(tag string, o subject.Options) (*field.Line, error) {
	l, err := field.New(b.w, tag, 2, false)
	if err != nil {
		return nil, err
	}
	_, err = subject.Start(l, o, field.RealTime)
	return l, err
}

func (b *bench) serviceTCP() error {
	l, err := b.routers("lt", subject.Options{Lanes: "go"})
	if err != nil {
		return err
	}
	b.transfer(tcpClear, l, field.ServerAddr, subject.ClearPort)
	return nil
}

// transformTCP and fastTCP are routers as they run on a box: the lane in the kernel
// hands to the service lane what needs cryptography.
func (b *bench) transformTCP() error {
	l, err := b.routers("lu", subject.Options{Lanes: "bpf", Transform: true})
	if err != nil {
		return err
	}
	b.transfer(tcpTransform, l, field.ServerAddr, subject.GCMPort)
	return nil
}

func (b *bench) fastTCP() error {
	l, err := b.routers("bt", subject.Options{Lanes: "bpf"})
	if err != nil {
		return err
	}
	if err := l.Six(); err != nil {
		return err
	}
	b.transfer(tcpFast, l, field.ServerAddr, subject.ClearPort)
	b.transfer(tcpCBC, l, field.ServerAddr, subject.SealedPort)
	b.transfer(tcpGCM, l, field.ServerAddr, subject.GCMPort)
	b.transfer(tcpSix, l, field.ServerSix, subject.ClearPort)
	return world.Until(10*time.Second, "an answer over IPv6", func() (bool, error) {
		_, err := b.w.Exec(l.Client, "ping", "-6", "-c", "1", "-W", "1", field.ServerSix.String())
		return err == nil, nil
	})
}
