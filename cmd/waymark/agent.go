package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"waymark/mgmt/agent"
)

func runAgent(ctx context.Context, args []string, _, stderr io.Writer) error {
	outlive()
	var s agent.Settings
	var conductors, masters string
	f := newFlags("agent", "agent -run DIR -state DIR [-asset-id ID] [-conductor HOST[,HOST]] [-config FILE [-router-file FILE] [-confirm TIME]] [-salt-master HOST[:PORT][,…]] [-keepalive TIME] [-v]", stderr)
	f.StringVar(&s.RunDir, "run", "", "run `DIR`ectory of the router")
	f.StringVar(&s.StateDir, "state", "", "`DIR`ectory that outlives reboots: identity, fetched files")
	f.StringVar(&s.AssetID, "asset-id", "", "`ID` of the box (kernel argument, serial number, Ethernet address)")
	f.StringVar(&conductors, "conductor", "", "`HOST`s of one or two conductors, with :PORT if not 930 (configuration, onboarding file, kernel argument, DHCP, DNS)")
	f.StringVar(&s.ConfigFile, "config", "", "running configuration, a `FILE` that conductors and masters may exchange; without it they change nothing")
	f.StringVar(&s.RouterFile, "router-file", "", "`FILE` that says which router of the configuration this is: its name, perhaps the node's behind it")
	f.BoolVar(&s.NoSalt, "no-salt", false, "no minion at conductors")
	f.StringVar(&masters, "salt-master", "", "`HOST`s of stock Salt masters")
	f.StringVar(&s.Finger, "master-finger", "", "SHA-256 `FINGERPRINT` that a master's key must have at first contact")
	f.DurationVar(&s.Keepalive, "keepalive", 0, "longest silence towards conductors, 5s to 1h (5s; on metered ways out by what the NAT remembers, 180s to 300s); towards Salt masters the idle `TIME` before TCP probes (30s; there 120s and more)")
	f.BoolVar(&s.AllowV2, "salt-v2", false, "accept Salt masters older than 3006.12 and 3007.4, where minions can read each other")
	f.BoolVar(&s.SHA224, "salt-sha224", false, "use OAEP-SHA224 and PKCS1v15-SHA224, as FIPS masters want")
	confirm := f.Duration("confirm", 0, "`TIME` within which a master must be reached after its commit, or it goes back (5m)")
	verbose := f.Bool("v", false, "log more")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	if *confirm < 0 || *confirm > 24*time.Hour {
		return complain(f, fmt.Sprintf("-confirm %v: want up to 24h (0: 5m)", *confirm))
	}
	s.Conductors, s.Masters = split(conductors), split(masters)
	if s.ConfigFile != "" {
		s.Config = agent.NewConfiguration(s.ConfigFile, s.RunDir, *confirm)
	}
	s.Log = logger(stderr, *verbose)
	if err := s.Check(); err != nil {
		return complain(f, err.Error())
	}
	return agent.Run(ctx, s)
}

// split cuts a list at commas; an empty one has nothing in it.
func split(list string) (words []string) {
	for w := range strings.SplitSeq(list, ",") {
		if w != "" {
			words = append(words, w)
		}
	}
	return words
}
