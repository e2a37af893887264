package login_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waymark/mgmt/console/login"
)

// mint makes a gate with a secret.
func mint(t *testing.T, dir string) (g *login.Gate, secret string) {
	t.Helper()
	g, err := login.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Mint(func(s string) error { secret = s; return nil }); err != nil {
		t.Fatal(err)
	}
	return g, secret
}

func TestSecret(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	_, secret := mint(t, dir)
	if !regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$`).MatchString(secret) {
		t.Errorf("secret %q", secret)
	}
	text, err := os.ReadFile(filepath.Join(dir, login.SecretFile))
	st, _ := os.Stat(filepath.Join(dir, login.SecretFile))
	d, _ := os.Stat(dir)
	if err != nil || st.Mode().Perm() != 0o600 || d.Mode().Perm() != 0o700 {
		t.Errorf("%v, modes %v, %v", err, st.Mode(), d.Mode())
	}
	if strings.Contains(string(text), secret) || strings.Contains(string(text), strings.ReplaceAll(secret, "-", "")) {
		t.Error("the secret itself is on the disk")
	}
	g, err := login.Open(dir) // after a reboot
	if err != nil || !g.Ready() {
		t.Fatal(err, g.Ready())
	}
	if _, err := g.Try(strings.ToLower(strings.ReplaceAll(secret, "-", " "))); err != nil {
		t.Errorf("the secret as people type it: %v", err)
	}
	if _, other := mint(t, t.TempDir()); other == secret {
		t.Error("two boxes have one secret")
	}
}

func TestNoSecret(t *testing.T) {
	g, err := login.Open(t.TempDir())
	if err != nil || g.Ready() {
		t.Fatal(err, g.Ready())
	}
	for _, guess := range []string{"", "admin", "waymark"} {
		if _, err := g.Try(guess); !errors.Is(err, login.ErrNone) {
			t.Errorf("%q without a secret: %v", guess, err)
		}
	}
	broken := errors.New("line is dead")
	if err := g.Mint(func(string) error { return broken }); !errors.Is(err, broken) || g.Ready() {
		t.Errorf("a secret that nobody saw is kept: %v", err)
	}
}

func TestRuinedFile(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"", "\x00\x00\x00", "$2a$10$"} {
		if err := os.WriteFile(filepath.Join(dir, login.SecretFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := login.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Try(text); err == nil {
			t.Errorf("a ruined file %q opens the gate", text)
		}
	}
}

// Guesses cost more and more, for everybody, and a right one ends it.
func TestBackOff(t *testing.T) {
	dir := t.TempDir()
	_, secret := mint(t, dir)
	synctest.Test(t, func(t *testing.T) {
		g, err := login.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			wait, err := g.Try("wrong")
			if !errors.Is(err, login.ErrWrong) || wait != want*time.Second {
				t.Errorf("guess %d: wait %v, %v, want %v s", i+1, wait, err, want)
			}
			if left, err := g.Try(secret); !errors.Is(err, login.ErrWait) || left != wait {
				t.Errorf("guess %d: the right secret at once: wait %v, %v", i+1, left, err)
			}
			time.Sleep(wait)
		}
		if _, err := g.Try(secret); err != nil {
			t.Errorf("the right secret: %v", err)
		}
		if wait, _ := g.Try("wrong"); wait != time.Second {
			t.Errorf("first wrong one after it: wait %v", wait)
		}
	})
}
