package console

import (
	"context"
	"errors"
	"fmt"

	"waymark/mgmt/box"
	"waymark/mgmt/console/cli"
)

// errNotDone: the user answered no.
var errNotDone = errors.New("nothing was done")

func (s *session) runReboot(ctx context.Context, in *cli.Input) error {
	name := s.boxName(ctx)
	answer, err := s.ask(fmt.Sprintf("Start %s again? Its sessions are interrupted. [y/N] ", name))
	if err != nil {
		return err
	}
	if answer != "y" && answer != "yes" {
		return errNotDone
	}
	return s.initDoes(ctx, in, box.Reboot, "%s starts again.\n", name)
}

func (s *session) runReset(ctx context.Context, in *cli.Input) error {
	name := s.boxName(ctx)
	fmt.Fprintf(in.Out, "Everything that makes this box %s is removed: configuration, keys, login secret, logs.\n", name)
	answer, err := s.ask(fmt.Sprintf("Type its name (%s) to go on: ", name))
	if err != nil {
		return err
	}
	if answer != name {
		return errNotDone
	}
	return s.initDoes(ctx, in, box.FactoryReset, "%s forgets everything and starts again.\n", name)
}

// initDoes asks init, and says what it will do.
func (s *session) initDoes(ctx context.Context, in *cli.Input, do, format, name string) error {
	why := "console"
	if s.o.Port != "" {
		why += " on " + s.o.Port
	}
	return box.Ask(ctx, s.o.Run, box.Request{Do: do, Why: why}, func() {
		s.o.Log.Info("console asked", "for", do, "port", s.o.Port)
		fmt.Fprintf(in.Out, format, name)
	})
}
