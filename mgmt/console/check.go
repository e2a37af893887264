package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"waymark/mgmt/console/cli"
	"waymark/mgmt/console/diagnose"
	"waymark/net/icmp"
	dns "waymark/net/resolve"
	"waymark/svr/event"
	"waymark/svr/router/ctl"
)

// Files that tell of names and of conductors (docs/run-files.md).
const (
	resolvFile = "resolv.json"
	agentFile  = "agent.json"
)

// probeWithin bounds each question that the diagnosis puts to the network.
const probeWithin = 3 * time.Second

// runCheck writes the stages and the verdict.
func (s *session) runCheck(ctx context.Context, in *cli.Input) error {
	stages := diagnose.Run(gatherFacts(ctx, s.o.Run))
	return writeStages(in.Out, stages)
}

func writeStages(w io.Writer, stages []diagnose.Stage) error {
	for _, st := range stages {
		if _, err := fmt.Fprintf(w, "%-10s %-8s %s\n", st.Name, st.State, clean(st.Found)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\nVerdict: %s\n", clean(diagnose.Verdict(stages)))
	return err
}

// clean is text of others as a terminal may have it, in one line.
func clean(text string) string {
	text, _ = plainLine(strings.ReplaceAll(text, "\n", " "))
	return text
}

// rowsOf asks for a table.
func rowsOf[T any](ctx context.Context, run, what string, detail bool) (list []T, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	_, err = ctl.AskContext(ctx, run, ctl.Request{Show: what, Detail: detail}, func(row json.RawMessage) error {
		var v T
		err := json.Unmarshal(row, &v)
		list = append(list, v)
		return err
	})
	return list, err
}

type ifRow struct {
	Name, DHCP, Reason string
	Gateway            []string
	Oper               string `json:"oper-status"`
}

type pathRow struct {
	Peer        string
	Interface   string `json:"network-interface"`
	Destination string
	Status      string
	Reason      string
}

type serviceRow struct{ Service, State string }

type ntpRow struct {
	Status string
	Name   string `json:"time-source"`
}

// gatherFacts asks router and network. What a table lacks stays unknown.
func gatherFacts(ctx context.Context, run string) *diagnose.Facts {
	f := &diagnose.Facts{}
	interfaces, err := rowsOf[ifRow](ctx, run, "network-interface", true)
	if err != nil {
		f.Router = routerWords(err)
		return f
	}
	var probes sync.WaitGroup
	f.Interfaces = make([]diagnose.Interface, len(interfaces))
	for n, row := range interfaces {
		i := &f.Interfaces[n]
		*i = diagnose.Interface{Name: row.Name, WAN: len(row.Gateway) > 0 || row.DHCP != "" && row.DHCP != "disabled",
			Up: row.Oper == "up", Reason: row.Reason}
		if len(row.Gateway) > 0 {
			i.Gateway = row.Gateway[0]
			probes.Go(func() { i.Answers = !i.Up || answers(ctx, i.Gateway) })
		}
	}
	names, _ := dns.Read(filepath.Join(run, resolvFile)) // without it there are none
	times, _ := rowsOf[ntpRow](ctx, run, "ntp", false)
	if names != nil {
		probes.Go(func() { f.Resolvers, f.DNSError = askResolvers(ctx, names, times) })
	}
	f.TimeServers, f.Synced = len(times), len(times) > 0 && times[0].Status == "synchronized"
	f.Conductors = conductors(run, names)
	f.Peers, f.Services = peersAndServices(ctx, run)
	probes.Wait()
	return f
}

// answers tells whether an address answers a ping.
func answers(ctx context.Context, addr string) (ok bool) {
	dst, err := netip.ParseAddr(addr)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*probeWithin)
	defer cancel()
	_ = icmp.Ping(ctx, dst, icmp.Options{Count: 2, Interval: time.Second / 4}, func(r icmp.Reply) { ok = ok || r.Kind == icmp.Echo }) // no answer is one
	return ok
}

// askResolvers asks for a name that somebody needs; any answer counts.
func askResolvers(ctx context.Context, names *dns.File, times []ntpRow) (used []string, problem string) {
	list := names.Upstreams()
	for _, up := range list {
		if addr := up.Server.String(); !slices.Contains(used, addr) {
			used = append(used, addr)
		}
	}
	if len(used) == 0 {
		return nil, ""
	}
	name := "example.com"
	for _, t := range times {
		if _, err := netip.ParseAddr(t.Name); err != nil && t.Name != "" {
			name = t.Name
		}
	}
	c := dns.NewClient()
	c.Use(list)
	ctx, cancel := context.WithTimeout(ctx, 3*probeWithin)
	defer cancel()
	_, err := c.Lookup(ctx, name)
	var late net.Error
	switch {
	case err == nil, errors.Is(err, dns.ErrNoAddress):
		return used, ""
	case errors.As(err, &late) && late.Timeout():
		return used, "nobody answers about " + name
	}
	return used, err.Error()
}

// conductors are those that the agent tells of, or without it those that the
// networks named.
func conductors(run string, names *dns.File) (list []diagnose.Reach) {
	var status struct {
		Conductors []struct {
			Host      string
			Connected bool
			Reason    string
		}
	}
	b, err := os.ReadFile(filepath.Join(run, agentFile))
	if err == nil && json.Unmarshal(b, &status) == nil {
		for _, c := range status.Conductors {
			list = append(list, diagnose.Reach{Name: c.Host, Up: c.Connected, Why: c.Reason})
		}
		return list
	}
	if names == nil {
		return nil
	}
	for _, w := range names.WANs {
		for _, host := range w.Conductors {
			list = append(list, diagnose.Reach{Name: host, Why: "the agent tells nothing"})
		}
	}
	return list
}

// peersAndServices are the paths of peers, and of each service whether one of
// its routes is up.
func peersAndServices(ctx context.Context, run string) (peers, services []diagnose.Reach) {
	paths, _ := rowsOf[pathRow](ctx, run, "peers", false)
	for _, p := range paths {
		peers = append(peers, diagnose.Reach{Name: p.Peer + " over " + p.Interface, Up: p.Status != "down", Why: p.Reason})
	}
	rows, _ := rowsOf[serviceRow](ctx, run, "service-path", false)
	at := map[string]int{}
	for _, r := range rows {
		n, ok := at[r.Service]
		if !ok {
			n = len(services)
			at[r.Service] = n
			services = append(services, diagnose.Reach{Name: r.Service})
		}
		services[n].Up = services[n].Up || strings.HasPrefix(r.State, "Up")
	}
	// Of a service towards a peer behind a NAT no way is up, and nothing is wrong:
	// the router has an alarm for what is.
	alarms, err := rowsOf[struct{ Message string }](ctx, run, ctl.Alarms, false)
	for i := range services {
		missing := event.NoServicePath(services[i].Name).Message
		services[i].Up = services[i].Up || err == nil && !slices.ContainsFunc(alarms, func(a struct{ Message string }) bool { return a.Message == missing })
	}
	return peers, services
}
