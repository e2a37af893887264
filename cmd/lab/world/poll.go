package world

import (
	"errors"
	"fmt"
	"time"
)

// ErrDeadline is what Until returns when the condition did not come true.
var ErrDeadline = errors.New("deadline passed")

// Until asks cond again and again until it holds, fails or limit has passed.
// what names the condition in the error. It is how everything here waits.
func Until(limit time.Duration, what string, cond func() (bool, error)) error {
	deadline := time.Now().Add(limit)
	pause := time.Millisecond
	for {
		ok, err := cond()
		if err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("wait for %s, %v: %w", what, limit, ErrDeadline)
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}
