package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"waymark/mgmt/console/cli"
	"waymark/net/capture"
)

// Bounds of a capture.
const (
	captureDir    = "captures" // in the run directory
	captureBytes  = 4 << 20
	captureFiles  = 4 // the oldest gives way
	captureFrames = 100
	captureTime   = time.Minute
)

var captureArgs = []cli.Arg{
	{Name: "interface", Help: "device-interface, or Linux interface"},
	{Name: "options", Help: "count N, seconds N, file NAME; " + capture.Terms, Rest: true, Optional: true, Values: captureWords},
}

func captureWords([]string) []cli.Word {
	return fixed("count", "how many frames (100; to a file without end)", "seconds", "how long (60)", "file", "name of a file in RUN/"+captureDir,
		"not", "the opposite of the next term", "arp", "", "ip", "", "ip6", "", "icmp", "", "tcp", "", "udp", "", "host", "address of either side",
		"net", "prefix of either side", "port", "of either side", "vlan", "outermost tag")(nil)
}

// captureOptions are what stands behind the interface.
type captureOptions struct {
	count  int
	within time.Duration
	file   string
	filter *capture.Filter
}

// isFileName tells the name of a capture's file: 1-40 of A-Z a-z 0-9 . _ -, no point first.
func isFileName(s string) bool {
	const chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return s != "" && len(s) <= 40 && s[0] != '.' && strings.Trim(s, chars) == ""
}

func parseCapture(words []string) (o captureOptions, err error) {
	o.within = captureTime
	var terms []string
	for i := 0; i < len(words); i++ {
		if w := words[i]; w != "count" && w != "seconds" && w != "file" {
			terms = append(terms, w)
			continue
		}
		if i+1 == len(words) {
			return o, fmt.Errorf("%w: a value of %s follows", cli.ErrIncomplete, words[i])
		}
		i++
		n, bad := strconv.Atoi(words[i])
		switch word := words[i-1]; {
		case word == "file" && isFileName(words[i]):
			o.file = words[i]
		case word == "count" && bad == nil && n >= 1 && n <= 1000000:
			o.count = n
		case word == "seconds" && bad == nil && n >= 1 && n <= 3600:
			o.within = time.Duration(n) * time.Second
		default:
			return o, fmt.Errorf("%w: %s %q", cli.ErrValue, word, words[i])
		}
	}
	if o.count == 0 && o.file == "" {
		o.count = captureFrames
	}
	o.filter, err = capture.ParseFilter(terms)
	return o, err
}

func (s *session) runCapture(ctx context.Context, in *cli.Input) (err error) {
	o, err := parseCapture(in.Rest("options"))
	if err != nil {
		return err
	}
	take, done, err := s.taker(in.Out, &o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	ctx, cancel := context.WithTimeout(ctx, o.within)
	defer cancel()
	n := 0
	device, err := s.linuxName(ctx, in.Get("interface"))
	if err != nil {
		return err
	}
	err = capture.Run(ctx, device, o.filter, func(at time.Time, data []byte, whole int) error {
		if err := take(at, data, whole); err != nil {
			return err
		}
		if n++; n == o.count {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) || errors.Is(err, capture.ErrFull) {
		err = nil
	}
	fmt.Fprintf(in.Out, "%d frames\n", n)
	return err
}

// taker is what happens to each frame: a line, or a record of a file.
func (s *session) taker(out io.Writer, o *captureOptions) (take func(time.Time, []byte, int) error, done func() error, err error) {
	if o.file == "" {
		return func(at time.Time, data []byte, whole int) error {
			_, err := fmt.Fprintf(out, "%s %s, %d bytes\n", at.UTC().Format("15:04:05.000000"), capture.Line(data), whole)
			return err
		}, func() error { return nil }, nil
	}
	dir := filepath.Join(s.o.Run, captureDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("keep capture: %w", err)
	}
	if err := dropOldest(dir, captureFiles-1); err != nil {
		return nil, nil, err
	}
	name := filepath.Join(dir, o.file+".pcap")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("keep capture: %w", err)
	}
	w, err := capture.NewWriter(f, captureBytes)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("keep capture: %w", err), f.Close())
	}
	fmt.Fprintf(out, "to %s, at most %d MiB\n", name, captureBytes>>20)
	return w.Write, f.Close, nil
}

// dropOldest leaves at most so many files in a directory.
func dropOldest(dir string, leave int) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	age := func(e os.DirEntry) time.Time {
		if i, err := e.Info(); err == nil {
			return i.ModTime()
		}
		return time.Time{} // gone
	}
	sort.Slice(list, func(i, j int) bool { return age(list[i]).Compare(age(list[j])) < 0 })
	for _, e := range list[:max(0, len(list)-leave)] {
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("make room: %w", err)
		}
	}
	return nil
}

// linuxName is the Linux interface below a device-interface of that name, or one
// that Linux has by it.
func (s *session) linuxName(ctx context.Context, name string) (string, error) {
	rows, _ := rowsOf[struct {
		Name   string
		Target string `json:"target-interface"`
	}](ctx, s.o.Run, "device-interface", false)
	var names []string
	for _, r := range rows {
		if r.Name == name && r.Target != "" {
			return r.Target, nil
		}
		names = append(names, r.Name)
	}
	if _, err := net.InterfaceByName(name); err == nil {
		return name, nil
	}
	if len(names) == 0 {
		return "", fmt.Errorf("capture on %s: there is no such interface", name)
	}
	return "", fmt.Errorf("capture on %s: there is no such interface; known are %s", name, strings.Join(names, ", "))
}
