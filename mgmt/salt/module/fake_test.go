package module

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"testing/fstest"
	"time"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/msgpack"
)

// fakeMinion is a minion whose master has a file and whose jobs are given.
type fakeMinion struct {
	grains, pillar msgpack.Map
	jobs           []msgpack.Map
	fired          []msgpack.Map
	killed         []string
	fetches        int
	offline        bool
	lies           string // hash that the master tells
}

var errOffline = errors.New("master is away")

func newMinion() *fakeMinion {
	return &fakeMinion{
		grains: msgpack.KV("id", "cpe-1", "os", "Waymark", "net", msgpack.KV("wan", "up"), "roles", []any{"branch", "lab"}),
		pillar: msgpack.KV("waymark", msgpack.KV("config", msgpack.KV("authority", msgpack.KV("name", "new"))), "site", "berlin"),
		jobs:   []msgpack.Map{msgpack.KV("pid", 7, "jid", "100", "fun", "test.sleep"), msgpack.KV("pid", 7, "jid", "self", "fun", "saltutil.running")},
	}
}

func (m *fakeMinion) ID() string          { return "cpe-1" }
func (m *fakeMinion) Grains() msgpack.Map { return m.grains }
func (m *fakeMinion) Pillar() msgpack.Map { return m.pillar }
func (m *fakeMinion) ask() error {
	m.fetches++
	if m.offline {
		return errOffline
	}
	return nil
}
func (m *fakeMinion) RefreshGrains(context.Context) error { return m.ask() }
func (m *fakeMinion) RefreshPillar(context.Context) error { return m.ask() }
func (m *fakeMinion) Fire(_ context.Context, tag string, data any) error {
	m.fired = append(m.fired, msgpack.KV("tag", tag, "data", data))
	return m.ask()
}
func (m *fakeMinion) Running() []msgpack.Map { return m.jobs }
func (m *fakeMinion) Kill(jid string) bool {
	m.killed = append(m.killed, jid)
	return true
}

// file is 3000 bytes, as in the recordings.
func file() []byte {
	b := make([]byte, 3000)
	for i := range b {
		b[i] = byte(7*i + 3)
	}
	return b
}

func (m *fakeMinion) Request(_ context.Context, load msgpack.Map) (any, error) {
	if err := m.ask(); err != nil {
		return nil, err
	}
	known := load.Text("path") == "fw.bin" && load.Text("saltenv") == "base"
	switch load.Text("cmd") {
	case "_file_hash":
		if !known {
			return "", nil
		}
		sum := sha256.Sum256(file())
		hsum := hex.EncodeToString(sum[:])
		if m.lies != "" {
			hsum = m.lies
		}
		return msgpack.KV("hsum", hsum, "hash_type", "sha256"), nil
	case "_serve_file":
		at := load.Get("loc").(int64)
		end := min(at+1024, 3000)
		return msgpack.KV("data", string(file()[at:end]), "dest", "fw.bin"), nil
	}
	return nil, errors.New("unknown command")
}

// fakeConfig is a store that refuses authorities called "bad".
type fakeConfig struct {
	running string
	history []string
	broken  bool

	confirmed int
	cut       func() // what a commit does to the network
}

func (f *fakeConfig) Compare(_ context.Context, tree []byte) ([]Change, error) {
	switch string(tree) {
	case f.running:
		return nil, nil
	case `{"authority":{"name":"bad"}}`:
		return nil, errors.New("authority > name: bad is not allowed")
	}
	return []Change{{"authority > name", "old", "new"}}, nil
}

func (f *fakeConfig) Commit(_ context.Context, tree []byte) (string, error) {
	if f.broken {
		return "", errors.New("disk full")
	}
	f.history = append(f.history, f.running)
	f.running = string(tree)
	if f.cut != nil {
		f.cut()
	}
	return "2", nil
}

func (f *fakeConfig) Confirm(context.Context) error {
	f.confirmed++
	return nil
}
func (f *fakeConfig) Within() time.Duration                   { return 50 * time.Millisecond }
func (f *fakeConfig) Running(context.Context) ([]byte, error) { return []byte(f.running), nil }
func (f *fakeConfig) Rollback(_ context.Context, v string) (string, error) {
	if v != "" && v != "1" {
		return "", errors.New("no such version")
	}
	return "1", nil
}

const oldConfig = `{"authority":{"name":"old"}}`

func newBox(t *testing.T) *Box {
	return &Box{
		Proc: fstest.MapFS{
			"uptime":  {Data: []byte("90061.5 1.0\n")},
			"loadavg": {Data: []byte("0.10 0.20 0.30 1/100 5\n")},
			"meminfo": {Data: []byte("MemTotal:  96000 kB\nHugePages_Total:  0\n")},
			"cpuinfo": {Data: []byte("processor\t: 0\nflags\t\t: fpu aes\n\n")},
			"stat":    {Data: []byte("cpu  1 2 3 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8\ncpu1 0 0 0 0 0 0 0 0\nctxt 99\n")},
			"vmstat":  {Data: []byte("nr_free 17\n")},
			"version": {Data: []byte("Linux version 6.12\n")},
			"net/dev": {Data: []byte("Inter-| Receive | Transmit\n face |bytes packets\n  lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n")},
		},
		Interfaces: func() ([]Interface, error) {
			return []Interface{{"wan0", "02:00:00:00:00:01", true, []string{"192.0.2.1/30", "fe80::1/64"}}, {"lo", "", true, []string{"127.0.0.1/8", "::1/128"}}}, nil
		},
		Usage: func(string) (uint64, uint64, error) { return 1000, 400, nil },
		Show: func(_ context.Context, what string, detail bool) ([]any, error) {
			if what != "peers" {
				return nil, errors.New("unknown table")
			}
			return []any{msgpack.KV("peer", "hub1", "detail", detail)}, nil
		},
		Config: &fakeConfig{running: oldConfig},
		Reboot: func(after time.Duration) error { return nil },
		Files:  t.TempDir(),
	}
}

func call(fun string, args ...any) *salt.Job {
	j, err := salt.ParseJob(msgpack.KV("fun", fun, "arg", list(args), "tgt", "*", "jid", "self", "user", "root", "serial", 5))
	if err != nil {
		panic(err)
	}
	return j
}

func kw(kv ...any) msgpack.Map { return append(msgpack.KV("__kwarg__", true), msgpack.KV(kv...)...) }
