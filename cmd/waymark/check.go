package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"waymark/svr/policy"
	"waymark/svr/router"
)

// configFlags are those of every command that takes a configuration.
type configFlags struct{ file, router, node string }

func (c *configFlags) add(f *flag.FlagSet) {
	f.StringVar(&c.file, "config", "", "configuration `FILE` of the authority (JSON)")
	f.StringVar(&c.router, "router", "", "`NAME` of the router in it")
	f.StringVar(&c.node, "node", "", "`NAME` of the node; may be left out when the router has one")
}

// missing names a flag that must be there and is not.
func (c *configFlags) missing() string {
	switch {
	case c.file == "":
		return "-config is missing"
	case c.router == "":
		return "-router is missing"
	}
	return ""
}

// load reads and checks the configuration and prints every finding.
func (c *configFlags) load(out io.Writer) (*policy.Tables, error) {
	tables, findings, err := router.Load(c.file, c.router, c.node)
	fmt.Fprint(out, findings)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoConfig, err)
	}
	if findings.Failed() {
		return nil, errConfig
	}
	return tables, nil
}

func runCheck(_ context.Context, args []string, stdout, stderr io.Writer) error {
	var c configFlags
	f := newFlags("check", "check -config FILE -router NAME [-node NAME]", stderr)
	c.add(f)
	if err := parseFlags(f, args); err != nil {
		return err
	}
	if what := c.missing(); what != "" {
		return complain(f, what)
	}
	_, err := c.load(stdout)
	return err
}
