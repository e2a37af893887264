package main

import (
	"errors"
	"flag"
	"io"

	"waymark/svr/router"
	"waymark/svr/router/ctl"
)

// newFlags makes the flags of one command. synopsis is its usage line.
func newFlags(name, synopsis string, stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		io.WriteString(stderr, "usage: waymark "+synopsis+"\n")
		f.PrintDefaults()
	}
	return f
}

// parse reads flags and words in any order and returns the words. A request for
// help is errHelp.
func parse(f *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, errHelp
		} else if err != nil {
			return nil, errUsage // Parse has told
		}
		if f.NArg() == 0 {
			return words, nil
		}
		words = append(words, f.Arg(0))
		args = f.Args()[1:]
	}
}

// errHelp: usage was printed because it was asked for.
var errHelp = errors.New("help")

// complain prints what is wrong with the command line, then its usage.
func complain(f *flag.FlagSet, what string) error {
	io.WriteString(f.Output(), "waymark "+f.Name()+": "+what+"\n")
	f.Usage()
	return errUsage
}

// isUsage tells errors of usage and configuration from those of the run.
func isUsage(err error) bool {
	return errors.Is(err, router.ErrSettings) || errors.Is(err, ctl.ErrUnknown) || errors.Is(err, errNoConfig)
}

// errNoConfig: the configuration file cannot be read.
var errNoConfig = errors.New("no configuration")
