package console

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"waymark/mgmt/console/cli"
	"waymark/svr/router/ctl"
)

// commands are those outside of the configuration.
func (s *session) commands() []*cli.Command {
	return slices.Concat([]*cli.Command{
		{Name: "show", Help: "show state", Sub: append(s.showCommands(), s.showConfig())},
		{Name: "ping", Help: "send ICMP echo requests", Run: s.runPing, Args: pingArgs},
		{Name: "service-ping", Help: "ask a host as a member of a tenant would, through service and path", Run: s.runServicePing, Args: servicePingArgs},
		{Name: "traceroute", Help: "ask the routers on the way to a host", Run: s.runTrace, Args: traceArgs},
		{Name: "check", Help: "find what is wrong: link, address, DNS, clock, conductor, peers, services", Run: s.runCheck},
		{Name: "capture", Help: "look at the frames of an interface, or write them to a file", Level: cli.Admin, Run: s.runCapture, Args: captureArgs},
		{Name: "save", Help: "write to a file", Level: cli.Admin, Sub: []*cli.Command{
			{Name: "tech-support-info", Help: "what helps to find out what is wrong, without secrets", Level: cli.Admin, Run: s.runSupport}}},
		{Name: "log", Help: "show logs and events of the box's processes", Run: s.runLog, Args: logArgs},
		{Name: "reboot", Help: "start the box again", Level: cli.Admin, Run: s.runReboot},
		{Name: "factory-reset", Help: "forget configuration, keys and secrets, and start again", Level: cli.Admin, Run: s.runReset},
	}, s.configCommands(), s.general())
}

// general are the commands about the console itself.
func (s *session) general() []*cli.Command {
	return []*cli.Command{
		{Name: "help", Help: "explain a command", Run: s.runHelp, Args: []cli.Arg{
			{Name: "command", Help: "command to explain", Rest: true, Optional: true, Values: s.helpWords}}},
		{Name: "history", Help: "show the lines typed before", Run: s.runHistory},
		{Name: "page", Help: "show long output page by page", Run: s.runPage, Args: []cli.Arg{
			{Name: "how", Help: "whether it is", Values: fixed("on", "page by page", "off", "at once"), Check: oneOf("on", "off")}}},
		{Name: "exit", Help: "leave", Run: func(context.Context, *cli.Input) error { s.over = true; return nil }},
	}
}

// fixed lists words and their explanations in turn.
func fixed(pairs ...string) func([]string) []cli.Word {
	return func([]string) (list []cli.Word) {
		for i := 0; i+1 < len(pairs); i += 2 {
			list = append(list, cli.Word{Text: pairs[i], Help: pairs[i+1]})
		}
		return list
	}
}

// oneOf refuses every other word.
func oneOf(words ...string) func(string) error {
	return func(v string) error {
		for _, w := range words {
			if v == w {
				return nil
			}
		}
		return fmt.Errorf("allowed are %s", strings.Join(words, ", "))
	}
}

// number refuses what is no whole number in a range.
func number(lo, hi int) func(string) error {
	return func(v string) error {
		if n, err := strconv.Atoi(v); err != nil || n < lo || n > hi {
			return fmt.Errorf("allowed is %d-%d", lo, hi)
		}
		return nil
	}
}

// get returns a checked number, or what stands for none.
func get(in *cli.Input, arg string, none int) int {
	if n, err := strconv.Atoi(in.Get(arg)); err == nil {
		return n
	}
	return none
}

// tableHelp explains the tables that are built.
var tableHelp = map[string]string{
	"alarms": "what is wrong now", "alarms shelved": "what is wrong and hidden",
	"events admin": "what people changed", "events alarm": "alarms that came and went", "events system": "what changed by itself",
	"events traffic": "what sessions were told", "ambient": "what idle links cost", "bfd": "BFD sessions",
	"capacity": "use of every pool", "device-interface": "devices and their counters", "dhcp": "addresses from the network",
	"dynamic-peer-update": "addresses of dynamic peers", "entitlement": "bandwidth used", "events": "what happened",
	"fib": "services by address", "network-interface": "interfaces and addresses", "peers": "peer paths",
	"security key-status": "age of keys", "service-path": "ways of each service", "sessions": "sessions",
	"stats": "counters", "system": "the box and its processes", "tenant members": "who belongs to which tenant",
	"udp-transform": "what travels in UDP", "waypoints": "use of wayports",
}

// showCommands makes a command of each table that the router has.
func (s *session) showCommands() []*cli.Command {
	top := &cli.Command{}
	for i := range ctl.Tables {
		t := &ctl.Tables[i]
		at := top
		words := strings.Fields(t.What)
		for _, w := range words[:len(words)-1] {
			at = group(at, w)
		}
		help := tableHelp[t.What]
		at.Sub = append(at.Sub, &cli.Command{Name: words[len(words)-1], Help: help, Run: s.showTable(t), Args: showArgs(t)})
	}
	return top.Sub
}

// group returns the command of that name below c, which only groups others.
func group(c *cli.Command, name string) *cli.Command {
	for _, sub := range c.Sub {
		if sub.Name == name {
			return sub
		}
	}
	sub := &cli.Command{Name: name, Help: "about " + name}
	c.Sub = append(c.Sub, sub)
	return sub
}

func showArgs(t *ctl.Table) []cli.Arg {
	args := []cli.Arg{{Name: "rows", Help: fmt.Sprintf("how many rows at most (%d)", rowsDefault), Keyword: true, Check: number(1, 1000000)}}
	if isEvents(t) {
		args = append(args, cli.Arg{Name: "from", Help: "not older: 45m, 12h, 1d", Keyword: true, Check: isAge},
			cli.Arg{Name: "to", Help: "not newer: 5m", Keyword: true, Check: isAge})
	}
	if len(t.Visible(true)) > len(t.Visible(false)) {
		args = append(args, cli.Arg{Name: "detail", Help: "all columns", Keyword: true, Flag: true})
	}
	return args
}

func (s *session) showTable(t *ctl.Table) func(context.Context, *cli.Input) error {
	return func(ctx context.Context, in *cli.Input) error {
		req := ctl.Request{Show: t.What, Detail: in.Has("detail")}
		end, err := showOf(ctx, in.Out, s.o.Run, req, get(in, "rows", rowsDefault), between(in.Get("from"), in.Get("to")))
		if end.Node != "" {
			s.name = end.Node
		}
		return err
	}
}

// helpWords lists the commands below the ones typed.
func (s *session) helpWords(before []string) (list []cli.Word) {
	line := strings.Join(before, " ")
	if line != "" {
		line += " "
	}
	for _, w := range s.tree().Options(line, s.o.Level) {
		if !w.Hint {
			list = append(list, w)
		}
	}
	return list
}

func (s *session) runHelp(_ context.Context, in *cli.Input) error {
	if err := s.tree().Usage(in.Out, in.Rest("command"), s.o.Level); err != nil {
		return err
	}
	if len(in.Rest("command")) == 0 {
		fmt.Fprint(in.Out, "\nTab completes, ? lists what may follow, ^C interrupts, `help COMMAND` explains.\n")
	}
	return nil
}

func (s *session) runHistory(_ context.Context, in *cli.Input) error {
	if s.term == nil {
		return errNeedsTerminal
	}
	for i, line := range s.term.History() {
		if _, err := fmt.Fprintf(in.Out, "%4d  %s\n", i+1, line); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) runPage(_ context.Context, in *cli.Input) error {
	s.page = in.Get("how") == "on"
	return nil
}
