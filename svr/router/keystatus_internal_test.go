package router

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waymark/mgmt/config"
	"waymark/svr/policy"
)

// Keys are as old as the first start with them; other leaves of a policy change
// nothing, and what is kept tells no key.
func TestKeyStatus(t *testing.T) {
	set := &Settings{RunDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	tables := func(key, about string) *policy.Tables {
		return &policy.Tables{Security: []policy.SecurityPolicy{{Security: config.Security{Name: "internal", Description: about, HMACKey: []byte(key)}}}}
	}
	for i, row := range []struct {
		tables  *policy.Tables
		at      time.Duration
		since   time.Duration
		changes uint64
		spoil   bool // the file, before
		errors  uint64
	}{
		{tables("one", ""), 0, 0, 0, false, 0},
		{tables("one", "said better"), time.Hour, 0, 0, false, 0},
		{tables("two", ""), 2 * time.Hour, 2 * time.Hour, 1, false, 0},
		{tables("two", ""), 3 * time.Hour, 2 * time.Hour, 1, false, 0},
		{tables("two", ""), 4 * time.Hour, 4 * time.Hour, 0, true, 1},
	} {
		name := filepath.Join(set.RunDir, KeysFile)
		if row.spoil {
			if err := os.WriteFile(name, []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		k := openKeyStatus(set, row.tables, noon.Add(row.at))
		if !k.Since.Equal(noon.Add(row.since)) || k.Changes != row.changes || k.Errors != row.errors {
			t.Errorf("start %d: %+v", i, k)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("start %d: %v, %v", i, info, err)
		}
	}
}
