package router

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"waymark/net/resolve"
	"waymark/svr/host"
)

// names keeps RUN/resolv.json and its other form true. The reconciler's.
type names struct {
	file  resolve.File
	ready bool // written once
}

func (r *Router) namesPaths() (path, conf string) {
	return filepath.Join(r.set.RunDir, ResolvFile), filepath.Join(r.set.RunDir, ResolvConf)
}

// tellNames writes which resolvers serve now, if they are others than before.
func (r *Router) tellNames(v *host.View) {
	file := host.WANNames(r.soft, v)
	r.lifetimes(&file)
	if r.names.ready && reflect.DeepEqual(file, r.names.file) {
		return
	}
	if err := file.Write(r.namesPaths()); err != nil {
		r.log.Warn("cannot tell resolvers", "error", err)
		return
	}
	r.names.file, r.names.ready = file, true
	r.client.Use(file.Upstreams())
	r.clockClient.Use(r.timeServers(&file))
	live := ""
	if len(file.WANs) > 0 {
		live = file.WANs[0].Interface
	}
	r.log.Info("resolvers", "live", live, "wans", len(file.WANs), "upstreams", len(file.Upstreams()))
}

// tellLifetimes writes what was learned about NATs since the file was written.
func (r *Router) tellLifetimes() {
	file := resolve.File{WANs: slices.Clone(r.names.file.WANs)}
	r.lifetimes(&file)
	if !r.names.ready || reflect.DeepEqual(file.WANs, r.names.file.WANs) {
		return
	}
	if err := file.Write(r.namesPaths()); err != nil {
		r.log.Warn("cannot tell lifetimes of NATs", "error", err)
		return
	}
	r.names.file = file
}

// lifetimes notes for how long the NATs of the WANs remember.
func (r *Router) lifetimes(f *resolve.File) {
	for i := range f.WANs {
		f.WANs[i].NATLifetime = int(r.bfd.Lifetime(f.WANs[i].Interface) / time.Second)
	}
}

// forgetNames removes the files.
func (r *Router) forgetNames() error {
	path, conf := r.namesPaths()
	var errs []error
	for _, p := range []string{path, conf} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
