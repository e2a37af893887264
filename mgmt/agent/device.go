package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"waymark/mgmt/console"
	"waymark/mgmt/console/cli"
	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/client"
	"waymark/svr/event"
	"waymark/svr/router/ctl"
)

// device is the box as one conductor sees it. It implements client.Device.
type device struct {
	a    *uplinks
	host string
}

// Facts implements client.Device.
func (d *device) Facts() uplink.Facts { return d.a.facts() }

// Config implements client.Device.
func (d *device) Config(ctx context.Context, c *uplink.Config) *uplink.ConfigState {
	d.a.log.Info("agent: configuration received", "conductor", d.host, "router", c.Router, "bytes", len(c.Packed))
	s := d.a.delivery.take(ctx, c, d.host)
	return &s
}

// Book implements client.Device: the router keeps the addresses.
func (d *device) Book(ctx context.Context, b *uplink.Book) error {
	book := ctl.Book{Full: b.Full, Entries: make([]ctl.BookEntry, 0, len(b.Entries))}
	for i := range b.Entries {
		e := &b.Entries[i]
		book.Entries = append(book.Entries, ctl.BookEntry{Router: e.Router, Node: e.Node, Interface: e.Interface, Hostname: e.Hostname, Address: e.Address})
	}
	return ctl.SetBook(ctx, d.a.set.RunDir, &book)
}

// Shell implements client.Device: a console as on the serial port. The conductor
// proved its key, and says who is there.
func (d *device) Shell(ctx context.Context, s uplink.Shell, stream io.ReadWriteCloser, sizes <-chan uplink.Size) {
	o := console.Options{Run: d.a.set.RunDir, Config: d.a.set.ConfigFile, Port: "conductor " + d.host, User: s.User,
		Width: s.Width, Height: s.Height, Log: d.a.log}
	if s.Level == "admin" {
		o.Level = cli.Admin
	}
	resized := make(chan console.Size)
	o.Resized = resized
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for {
			select {
			case size := <-sizes:
				select {
				case resized <- console.Size{Width: size.Width, Height: size.Height}:
				case <-ctx.Done():
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	note := func(what string) {
		d.a.journal.tell(event.Event{Kind: event.KindAdmin, Type: "admin.shell", Category: event.System, Severity: event.Info,
			Source: d.host, Message: fmt.Sprintf("Console of %s (%s) %s", s.User, s.Level, what)})
	}
	note("opened")
	defer note("closed")
	if err := console.Serve(ctx, stream, o); err != nil {
		d.a.log.Info("agent: console ended", "conductor", d.host, "err", err)
	}
}

// Logs implements client.Device.
func (d *device) Logs() (list []uplink.Log, err error) {
	for _, dir := range []string{".", "log"} {
		entries, err := os.ReadDir(filepath.Join(d.a.set.RunDir, dir))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list logs: %w", err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil || !info.Mode().IsRegular() || !isLog(e.Name()) || len(list) == maxLogFiles {
				continue
			}
			list = append(list, uplink.Log{Name: filepath.ToSlash(filepath.Join(dir, e.Name())), Size: info.Size(), Modified: info.ModTime().UTC()})
		}
	}
	return list, nil
}

// maxLogFiles bounds the list.
const maxLogFiles = 256

// errNoLog: only what the list has can be fetched.
var errNoLog = errors.New("there is no such log")

// OpenLog implements client.Device. A name is one of the list, or none: paths
// are not corrected, and links out of the directory are not followed.
func (d *device) OpenLog(name string) (client.LogFile, uplink.Log, error) {
	list, err := d.Logs()
	if err != nil {
		return nil, uplink.Log{}, err
	}
	if !slices.ContainsFunc(list, func(l uplink.Log) bool { return l.Name == name }) || strings.Contains(name, "..") {
		d.a.log.Warn("agent: log refused", "conductor", d.host, "name", name)
		return nil, uplink.Log{}, errNoLog
	}
	root, err := os.OpenRoot(d.a.set.RunDir)
	if err != nil {
		return nil, uplink.Log{}, fmt.Errorf("open log: %w", err)
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, uplink.Log{}, fmt.Errorf("open log: %w", err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, uplink.Log{}, errors.Join(errNoLog, err, f.Close())
	}
	return f, uplink.Log{Name: name, Size: info.Size(), Modified: info.ModTime().UTC()}, nil
}
