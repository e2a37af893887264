package console

import (
	"errors"
	"fmt"
	"io"
	"time"

	"waymark/mgmt/console/login"
	"waymark/mgmt/console/tty"
)

// shownWithin is how long a secret may take to leave the port. One that does
// not is not kept: nobody saw it.
const shownWithin = 10 * time.Second

// enter returns when somebody may have a session.
func enter(t *tty.Terminal, o *Options) error {
	if o.Gate == nil {
		return nil
	}
	if o.ShowSecret && !o.Gate.Ready() {
		if err := showSecret(t, o); err != nil {
			return err
		}
	}
	for {
		ok, err := try(t, o)
		if ok || err != nil && !errors.Is(err, tty.ErrIdle) {
			return err
		}
	}
}

// showSecret makes the login secret and shows it, once in the life of a box.
func showSecret(t *tty.Terminal, o *Options) error {
	return o.Gate.Mint(func(secret string) error {
		if _, err := fmt.Fprintf(t, "\nwaymark login secret: %s\n", secret); err != nil {
			return err
		}
		return t.Flush(shownWithin)
	})
}

// try asks once.
func try(t *tty.Terminal, o *Options) (ok bool, err error) {
	secret, err := t.ReadSecret("waymark login secret? ")
	if errors.Is(err, io.EOF) || err == nil && secret == "" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	wait, err := o.Gate.Try(secret)
	switch {
	case err == nil:
		o.Log.Info("console login", "port", o.Port, "level", o.Level.String())
		return true, nil
	case errors.Is(err, login.ErrWait):
		t.Notef("%v for %d s", login.ErrWait, seconds(wait))
	case errors.Is(err, login.ErrWrong):
		o.Log.Warn("console login refused", "port", o.Port, "wait", wait)
		t.Notef("wrong secret; next try in %d s", seconds(wait))
	default:
		t.Notef("%v", err)
	}
	return false, nil
}

// seconds rounds up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
