package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"waymark/mgmt/agent"
)

func runAgent(ctx context.Context, args []string, _, stderr io.Writer) error {
	var s agent.Settings
	var conductors, masters string
	f := newFlags("agent", "agent -run DIR -state DIR [-asset-id ID] [-conductor HOST[,HOST]] [-salt-master HOST[:PORT][,…]] [-keepalive TIME] [-v]", stderr)
	f.StringVar(&s.RunDir, "run", "", "run `DIR`ectory of the router")
	f.StringVar(&s.StateDir, "state", "", "`DIR`ectory that outlives reboots: identity, fetched files")
	f.StringVar(&s.AssetID, "asset-id", "", "`ID` of the box (kernel argument, serial number, Ethernet address)")
	f.StringVar(&conductors, "conductor", "", "`HOST`s of one or two conductors")
	f.StringVar(&masters, "salt-master", "", "`HOST`s of stock Salt masters")
	f.StringVar(&s.Finger, "master-finger", "", "SHA-256 `FINGERPRINT` that a master's key must have at first contact")
	f.DurationVar(&s.Keepalive, "keepalive", 0, "idle `TIME` before TCP probes, 5s to 1h (30s)")
	f.BoolVar(&s.AllowV2, "salt-v2", false, "accept Salt masters older than 3006.12 and 3007.4, where minions can read each other")
	f.BoolVar(&s.SHA224, "salt-sha224", false, "use OAEP-SHA224 and PKCS1v15-SHA224, as FIPS masters want")
	verbose := f.Bool("v", false, "log more")
	words, err := parse(f, args)
	if errors.Is(err, errHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return complain(f, fmt.Sprintf("unknown argument %q", words[0]))
	}
	if n := strings.Count(conductors, ","); n > 1 {
		return complain(f, "-conductor takes one or two hosts")
	}
	for list := range strings.SplitSeq(conductors+","+masters, ",") {
		if list != "" {
			s.Masters = append(s.Masters, list)
		}
	}
	s.Log = logger(stderr, *verbose)
	if err := s.Check(); err != nil {
		return complain(f, err.Error())
	}
	return agent.Run(ctx, s)
}
