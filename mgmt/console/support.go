package console

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"waymark/mgmt/config"
	"waymark/mgmt/config/life"
	"waymark/mgmt/console/cli"
	"waymark/svr/router/ctl"
)

// Bounds of a report.
const (
	supportFile  = "tech-support.tar.gz" // in the run directory
	supportBytes = 16 << 20              // of all that goes in, unpacked
	supportEach  = 512 << 10             // of one file: its end
	supportRows  = 5000                  // of one table
)

// supportLogs are what is taken from the run directory. Nothing of identities
// is there.
var supportLogs = []string{"*.jsonl", "*.jsonl.1", "log/*", "init.json", "agent.json", "resolv.json", "router.lease-*.json"}

// supportSystem is what is taken from the kernel.
var supportSystem = []string{"/proc/version", "/proc/uptime", "/proc/meminfo", "/proc/loadavg", "/proc/net/dev", "/proc/net/route", "/proc/mounts"}

// report is a tar.gz that is being written.
type report struct {
	tar    *tar.Writer
	left   int64
	hide   *strings.Replacer
	missed []string // what is not in it, and why
}

// runSupport writes everything that helps somebody elsewhere to find out what is
// wrong: tables, logs, events, the configuration without its secrets.
func (s *session) runSupport(ctx context.Context, in *cli.Input) error {
	name := filepath.Join(s.o.Run, supportFile)
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("save tech-support: %w", err)
	}
	err = errors.Join(s.writeReport(ctx, f), f.Close())
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		return fmt.Errorf("save tech-support: %w", errors.Join(err, os.Remove(name+".new")))
	}
	_, err = fmt.Fprintf(in.Out, "saved in %s, without secrets\n", name)
	return err
}

func (s *session) writeReport(ctx context.Context, w io.Writer) error {
	z := gzip.NewWriter(w)
	r := &report{tar: tar.NewWriter(z), left: supportBytes, hide: replacer(s.secrets())}
	err := errors.Join(s.reportConfig(r), s.reportTables(ctx, r), s.reportFiles(r))
	if err == nil {
		err = r.add("missed.txt", []byte(strings.Join(r.missed, "\n")+"\n"))
	}
	return errors.Join(err, r.tar.Close(), z.Close())
}

// secrets are those of every configuration there is.
func (s *session) secrets() (list []string) {
	st, err := s.store()
	if err != nil {
		return nil
	}
	take := func(d *config.Draft, err error) {
		if err == nil {
			list = append(list, d.Secrets()...)
		}
	}
	take(st.Running())
	candidate, _, err := st.Candidate()
	take(candidate, err)
	versions, _ := st.Versions() // without them there are none
	for _, v := range versions {
		take(st.Version(v.Number))
	}
	return list
}

// secretLeast is the length from which on a secret is looked for in text: a
// shorter one is a part of many words.
const secretLeast = 4

// replacer hides secrets, also as they stand in JSON. Keys in hexadecimal digits
// may stand in either case.
func replacer(secrets []string) *strings.Replacer {
	var pairs []string
	sort.Slice(secrets, func(i, j int) bool { return len(secrets[i]) > len(secrets[j]) }) // the longer first
	for _, s := range secrets {
		if len(s) < secretLeast {
			continue
		}
		quoted, _ := json.Marshal(s) // text always marshals
		for _, form := range []string{s, strings.ToLower(s), strings.ToUpper(s), string(quoted[1 : len(quoted)-1])} {
			pairs = append(pairs, form, "(removed)")
		}
	}
	return strings.NewReplacer(pairs...)
}

// add puts a file into the report, its end if it is long.
func (r *report) add(name string, data []byte) error {
	data = data[max(0, len(data)-supportEach):]
	data = []byte(r.hide.Replace(string(data)))
	if r.left -= int64(len(data)); r.left < 0 {
		r.missed = append(r.missed, name+": the report is full")
		r.left += int64(len(data))
		return nil
	}
	err := r.tar.WriteHeader(&tar.Header{Name: "tech-support/" + name, Mode: 0o600, Size: int64(len(data)), ModTime: time.Now()})
	if err == nil {
		_, err = r.tar.Write(data)
	}
	return err
}

func (s *session) reportConfig(r *report) error {
	st, err := s.store()
	if err != nil {
		r.missed = append(r.missed, "config: "+err.Error())
		return nil
	}
	candidate := func(st *life.Store) (*config.Draft, error) { d, _, err := st.Candidate(); return d, err }
	for name, read := range map[string]func(*life.Store) (*config.Draft, error){"running": (*life.Store).Running, "candidate": candidate} {
		d, err := read(st)
		if err != nil {
			r.missed = append(r.missed, "config "+name+": "+err.Error())
			continue
		}
		if err := r.add("config/"+name+".txt", []byte(d.Text(false))); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) reportTables(ctx context.Context, r *report) error {
	for i := range ctl.Tables {
		t := &ctl.Tables[i]
		var text bytes.Buffer
		if _, err := show(ctx, &text, s.o.Run, ctl.Request{Show: t.What, Detail: true}, supportRows); err != nil {
			r.missed = append(r.missed, "show "+t.What+": "+err.Error())
			continue
		}
		if err := r.add("show/"+strings.ReplaceAll(t.What, " ", "-")+".txt", text.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) reportFiles(r *report) error {
	var names []string
	for _, pattern := range supportLogs {
		list, _ := filepath.Glob(filepath.Join(s.o.Run, pattern)) // the patterns are right
		names = append(names, list...)
	}
	for _, name := range append(names, supportSystem...) {
		data, err := readEnd(name)
		if err != nil {
			r.missed = append(r.missed, name+": "+err.Error())
			continue
		}
		to := "system" + strings.ReplaceAll(strings.TrimPrefix(name, "/proc"), "/net/", "/net-")
		if rel, err := filepath.Rel(s.o.Run, name); err == nil && !strings.HasPrefix(rel, "..") {
			to = "run/" + rel
		}
		if err := r.add(to, data); err != nil {
			return err
		}
	}
	return nil
}

// readEnd returns the end of an ordinary file.
func readEnd(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("no ordinary file")
	}
	if st.Size() > supportEach {
		if _, err := f.Seek(-supportEach, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, supportEach))
}
