package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"waymark/mgmt/console/cli"
	"waymark/net/icmp"
	"waymark/svr/router/ctl"
)

var (
	hostArg   = cli.Arg{Name: "host", Help: "address or name"}
	sourceArg = cli.Arg{Name: "source", Help: "our address to send from", Keyword: true, Check: isAddress}
	deviceArg = cli.Arg{Name: "egress-interface", Help: "Linux interface to leave by", Keyword: true}

	pingArgs = []cli.Arg{hostArg, sourceArg, deviceArg,
		{Name: "count", Help: "how many requests (4)", Keyword: true, Check: number(1, 1000000)},
		{Name: "size", Help: "bytes of payload (56)", Keyword: true, Check: number(0, 65000)}}
	traceArgs = []cli.Arg{hostArg, sourceArg, deviceArg,
		{Name: "hops", Help: "how far at most (30)", Keyword: true, Check: number(1, 255)}}
)

var servicePingArgs = []cli.Arg{hostArg,
	{Name: "tenant", Help: "whose member asks", Keyword: true},
	{Name: "service-name", Help: "service that has to lead there", Keyword: true},
	{Name: "count", Help: "how many requests (4)", Keyword: true, Check: number(1, ctl.PingCount)},
	{Name: "size", Help: "bytes of payload (56)", Keyword: true, Check: number(0, ctl.PingSize)}}

// runServicePing asks as a host of a tenant would, through service and path.
func (s *session) runServicePing(ctx context.Context, in *cli.Input) error {
	if !in.Has("tenant") {
		return fmt.Errorf("%w: tenant NAME follows: whose member asks", cli.ErrIncomplete)
	}
	dst, err := resolve(ctx, in.Get("host"))
	if err != nil {
		return err
	}
	q := ctl.Ping{Tenant: in.Get("tenant"), Service: in.Get("service-name"), Destination: dst.String(), Count: get(in, "count", 4), Size: get(in, "size", 56)}
	var sum pingSum
	err = ctl.ServicePing(ctx, s.o.Run, q, func(p ctl.Pong) error {
		if p.Seq == 1 {
			fmt.Fprintf(in.Out, "PING %v from %s of tenant %s by service %s\n", dst, p.Source, q.Tenant, p.Service)
		}
		r := pongReply(p)
		sum.add(r)
		text := replyText(r)
		if r.Kind == icmp.Echo {
			text = fmt.Sprintf("from %v: seq=%d time=%s ms", r.From, r.Seq, millis(r.Time))
		}
		_, err := fmt.Fprintln(in.Out, text)
		return err
	})
	sum.write(in.Out, dst)
	return routerWords(err)
}

// pongReply is what a ping of our own would tell.
func pongReply(p ctl.Pong) icmp.Reply {
	r := icmp.Reply{Seq: p.Seq, Code: p.Code, Time: time.Duration(p.Millis * float64(time.Millisecond)), Kind: icmp.Nothing}
	r.From, _ = netip.ParseAddr(p.From) // nobody: invalid
	switch p.Kind {
	case "reply":
		r.Kind = icmp.Echo
	case "unreachable":
		r.Kind = icmp.Unreachable
	case "exceeded":
		r.Kind = icmp.Exceeded
	}
	return r
}

func isAddress(v string) error { _, err := netip.ParseAddr(v); return err }

// resolveWithin bounds the look-up of a name.
const resolveWithin = 5 * time.Second

// resolve returns the address of a host.
func resolve(ctx context.Context, host string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveWithin)
	defer cancel()
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find address of %s: %w", host, err)
	}
	return list[0].Unmap(), nil
}

// target reads the arguments that ping and traceroute share.
func target(ctx context.Context, in *cli.Input) (dst netip.Addr, o icmp.Options, err error) {
	o = icmp.Options{Interface: in.Get("egress-interface")}
	if in.Has("source") {
		o.Source, _ = netip.ParseAddr(in.Get("source")) // checked
	}
	dst, err = resolve(ctx, in.Get("host"))
	if err == nil && o.Source.IsValid() && o.Source.Is4() != dst.Is4() {
		err = errors.New("source and host are of different families")
	}
	return dst, o, err
}

func (s *session) runPing(ctx context.Context, in *cli.Input) error {
	dst, o, err := target(ctx, in)
	if err != nil {
		return err
	}
	o.Count, o.Size = get(in, "count", 4), get(in, "size", 56)
	fmt.Fprintf(in.Out, "PING %v, %d bytes of payload\n", dst, o.Size)
	var sum pingSum
	err = icmp.Ping(ctx, dst, o, func(r icmp.Reply) {
		sum.add(r)
		fmt.Fprintln(in.Out, replyText(r))
	})
	sum.write(in.Out, dst)
	return err
}

func replyText(r icmp.Reply) string {
	switch r.Kind {
	case icmp.Echo:
		return fmt.Sprintf("%d bytes from %v: seq=%d ttl=%d time=%s ms", r.Bytes, r.From, r.Seq, r.TTL, millis(r.Time))
	case icmp.Exceeded:
		return fmt.Sprintf("from %v: seq=%d hop limit exceeded", r.From, r.Seq)
	case icmp.Unreachable:
		return fmt.Sprintf("from %v: seq=%d %s", r.From, r.Seq, r.Reason())
	}
	return fmt.Sprintf("no answer: seq=%d", r.Seq)
}

func millis(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }

// pingSum is what the last lines of ping tell.
type pingSum struct {
	sent, got   int
	least, most time.Duration
	total       time.Duration
}

func (p *pingSum) add(r icmp.Reply) {
	p.sent++
	if r.Kind != icmp.Echo {
		return
	}
	if p.got++; p.got == 1 || r.Time < p.least {
		p.least = r.Time
	}
	p.most = max(p.most, r.Time)
	p.total += r.Time
}

func (p *pingSum) write(w io.Writer, dst netip.Addr) {
	if p.sent == 0 {
		return
	}
	fmt.Fprintf(w, "%v: %d sent, %d received, %d%% loss", dst, p.sent, p.got, 100*(p.sent-p.got)/p.sent)
	if p.got > 0 {
		fmt.Fprintf(w, ", round trip min/avg/max %s/%s/%s ms", millis(p.least), millis(p.total/time.Duration(p.got)), millis(p.most))
	}
	fmt.Fprintln(w)
}

func (s *session) runTrace(ctx context.Context, in *cli.Input) error {
	dst, o, err := target(ctx, in)
	if err != nil {
		return err
	}
	o.Hops, o.Count = get(in, "hops", 30), 3
	fmt.Fprintf(in.Out, "traceroute to %v, %d hops at most\n", dst, o.Hops)
	var line hopLine
	err = icmp.Trace(ctx, dst, o, func(r icmp.Reply) {
		if line.add(r) == o.Count {
			fmt.Fprintln(in.Out, line.text())
			line = hopLine{}
		}
	})
	return err
}

// hopLine gathers the answers of one hop.
type hopLine struct{ replies []icmp.Reply }

func (l *hopLine) add(r icmp.Reply) int {
	l.replies = append(l.replies, r)
	return len(l.replies)
}

func (l *hopLine) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%3d ", l.replies[0].Hop)
	last := netip.Addr{}
	for _, r := range l.replies {
		if r.Kind == icmp.Nothing {
			b.WriteString(" *")
			continue
		}
		if r.From != last {
			fmt.Fprintf(&b, " %v", r.From)
			last = r.From
		}
		fmt.Fprintf(&b, " %s ms", millis(r.Time))
		if r.Kind == icmp.Unreachable {
			fmt.Fprintf(&b, " (%s)", r.Reason())
		}
	}
	return b.String()
}
