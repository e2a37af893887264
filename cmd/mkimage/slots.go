package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"flag"
	"fmt"
	"path/filepath"
	"time"

	"waymark/image/bundle"
	"waymark/image/pack"
	"waymark/image/ship"
)

// shipFlags are those of slot, disk and bundle.
type shipFlags struct {
	key    string
	trial  time.Duration
	append string
}

func (s *shipFlags) add(f *flag.FlagSet) {
	f.StringVar(&s.key, "key", "", "ed25519 private key `FILE` that signs bundles and whose bundles the image takes (PEM; a throwaway key in out/keys)")
	f.DurationVar(&s.trial, "trial", 10*time.Minute, "`TIME` that an update to this image has to prove its health")
	f.StringVar(&s.append, "append", "", "more kernel `ARGUMENTS` for the slot")
}

func (s *shipFlags) check() error {
	if s.trial < time.Second || s.trial > bundle.MaxTrial*time.Second {
		return wrong("a trial of %v: want 1s to %v", s.trial, bundle.MaxTrial*time.Second)
	}
	return nil
}

// apply makes the image trust the key, and ends it with slot, disk and bundle.
func (s *shipFlags) apply(o *pack.Options) error {
	key, err := s.load(o.Root)
	if err != nil {
		return err
	}
	o.TrialSeconds = int(s.trial / time.Second)
	o.UpdateKeys = []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}
	sh := &ship.Options{Key: key, Append: s.append}
	o.Finish = append(o.Finish, sh.Steps(o.Board)...)
	return nil
}

func (s *shipFlags) load(root string) (ed25519.PrivateKey, error) {
	if s.key != "" {
		return ship.ReadKey(s.key)
	}
	path := filepath.Join(root, "out", "keys", "throwaway.pem")
	key, made, err := ship.ThrowawayKey(path, rand.Reader)
	if made {
		fmt.Printf("made a throwaway key: %s\n", path)
	}
	return key, err
}
