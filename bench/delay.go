package main

import (
	"fmt"
	"time"

	"waymark/bench/field"
	"waymark/bench/probe"
	"waymark/bench/rival"
)

// delayQuantile is the quantile of delays that is compared.
const delayQuantile = 0.99

func (b *bench) delayParts() []part {
	var rate float64 // offered to all of them, set when the kernel's line is there
	return []part{
		b.delay(delayKernel, "dk", 1, &rate, func(l *field.Line, _ probe.Flows) error { return rival.Kernel(l) }),
		b.delay(delayNone, "dn", 0, &rate, func(*field.Line, probe.Flows) error { return nil }),
		b.delay(delayTC, "dt", 1, &rate, b.lane(false)),
		b.delay(delayXDP, "dx", 1, &rate, b.lane(true)),
	}
}

// delay is a contestant that frames pass one by one, at half of what kernel
// forwarding can take. Every line ends with the same sink behind the socket
// buffer.
func (b *bench) delay(name, tag string, routers int, rate *float64, set contender) part {
	return part{[]string{name}, func() error {
		l, f, err := b.contend(tag, routers, flows1k, port, set)
		if err != nil {
			return err
		}
		if err := l.NAPI(l.Server, field.Eth); err != nil {
			return err
		}
		s, err := at(b, l, l.Server, func() (*probe.Delay, error) { return probe.DelayTC(field.Eth) })
		if err != nil {
			return err
		}
		f.Stamp, f.Batch = true, 1
		g, err := b.generator(l, f)
		if err != nil {
			return err
		}
		if name == delayKernel {
			if *rate, err = probe.Saturation(g, b.span); err != nil {
				return err
			}
			*rate /= 2
			fmt.Printf("delays at %.3f Mpps\n", *rate/1e6)
		}
		b.add(name, micros, func() (float64, error) {
			d, err := s.Quantile(g, *rate, b.span, delayQuantile)
			return float64(d / time.Nanosecond), err
		})
		return nil
	}}
}
