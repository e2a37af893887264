package main

import (
	"context"
	"errors"
	"testing"
)

// What the command line gets wrong is told before anything is made.
func TestRefused(t *testing.T) {
	const config = "../../svr/router/testdata/acme.json"
	for _, args := range [][]string{
		{"word"}, {"-board", "none"}, {"-trial", "-5s"}, {"-trial", "25h"}, {"-counter", "-1"}, {"-config", config},
		{"-router", "branch1"}, {"-config", config, "-router", "nobody"}, {"-config", config, "-router", "branch1 nobody"},
		{"-config", "none.json", "-router", "branch1"}, {"kernel", "-board", "none"},
		{"boot", "-board", "none"}, {"boot", "-board", "pc-x86_64", "-memory", "1"}, {"boot", "-ports", "17"}, {"boot", "-ports", "-1"},
	} {
		if err := command(context.Background(), args); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if err := checkConfig(config, "branch1"); err != nil {
		t.Errorf("branch1: %v", err)
	}
}
