package main

import (
	"errors"
	"flag"
	"fmt"
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
// help is flag.ErrHelp; usage was printed then.
func parse(f *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
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

// parseFlags is parse where no words are wanted.
func parseFlags(f *flag.FlagSet, args []string) error {
	words, err := parse(f, args)
	if err == nil && len(words) > 0 {
		err = complain(f, fmt.Sprintf("unknown argument %q", words[0]))
	}
	return err
}

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
