package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/store"
	"waymark/mgmt/config"
	"waymark/mgmt/uplink"
)

// keepVersions is how many configurations that ran are kept.
const keepVersions = 10

// Keys of configurations.
var (
	runningKey   = store.Path(keyRunning, "running")
	candidateKey = store.Path(keyRunning, "candidate")
)

// Version is one configuration of the authority.
type Version struct {
	Number int       `json:"number"` // 0: a candidate, or none
	Digest string    `json:"digest"` // uplink.Digest
	Time   time.Time `json:"time"`   // when it was loaded or committed, UTC
	By     string    `json:"by"`
	Packed []byte    `json:"packed"` // uplink.Pack of the authority file
	// Confirm is how many seconds a box has to get through to a conductor with it
	// before it goes back; 0 is the box's own default.
	Confirm int `json:"confirm,omitempty"`
}

// Draft returns the configuration.
func (v *Version) Draft() (*config.Draft, error) {
	if len(v.Packed) == 0 {
		return config.EmptyDraft(), nil
	}
	data, err := uplink.Unpack(v.Packed)
	if err != nil {
		return nil, err
	}
	d, finds := config.ReadDraft(data)
	if d == nil {
		return nil, fmt.Errorf("read configuration: %s", finds)
	}
	return d, nil
}

// Errors of configurations.
var (
	ErrNoCandidate = errors.New("nothing to commit: load a configuration first")
	ErrChanged     = errors.New("the candidate is not the one that was named")
	ErrConfirm     = errors.New("seconds to confirm are 10 to 86400")
)

// FindingsError is a configuration that is wrong.
type FindingsError struct{ Findings config.Findings }

// Error implements error.
func (e *FindingsError) Error() string { return "configuration has errors:\n" + e.Errors().String() }

// Errors are the findings without warnings.
func (e *FindingsError) Errors() (errs config.Findings) {
	for _, f := range e.Findings {
		if f.Severity == config.Error {
			errs = append(errs, f)
		}
	}
	return errs
}

// readAny reads a configuration as JSON or in the vendor's text form.
func readAny(data []byte) (*config.Draft, error) {
	for _, c := range data {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '{', 0xef:
			d, finds := config.ReadDraft(data)
			if d == nil {
				return nil, &FindingsError{finds}
			}
			return d, nil
		}
		break
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("read configuration: it is empty")
	}
	d, err := config.ReadText(string(data))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return d, nil
}

// LoadConfig makes a configuration the candidate and returns what would be
// wrong with it. FindingsError: it cannot be one at all.
func (g *Registry) LoadConfig(ctx context.Context, data []byte, by string) (Version, config.Findings, error) {
	d, err := readAny(data)
	if err != nil {
		return Version{}, nil, err
	}
	v := Version{Time: clock().UTC(), By: by}
	text := d.JSON()
	if v.Digest, err = uplink.Digest(text); err != nil {
		return v, nil, err
	}
	if v.Packed, err = uplink.Pack(text); err != nil {
		return v, nil, err
	}
	err = store.Update(ctx, g.Store, func(t *store.Tx) error {
		t.Set(candidateKey, v)
		return nil
	})
	if err != nil {
		return v, nil, fmt.Errorf("load configuration: %w", err)
	}
	return v, checkAll(d), nil
}

// checkAll finds what is wrong with a configuration for every node of it.
func checkAll(d *config.Draft) config.Findings {
	auth, finds := config.Parse(d.JSON())
	if auth == nil || finds.Failed() {
		return finds
	}
	seen := map[config.Finding]bool{}
	for _, f := range finds {
		seen[f] = true
	}
	for _, r := range auth.Routers {
		for _, n := range r.Nodes {
			for _, f := range auth.Check(r.Name, n.Name) {
				if !seen[f] {
					seen[f] = true
					finds = append(finds, f)
				}
			}
		}
	}
	return finds
}

// Commit makes the candidate the running configuration. Digest names the
// candidate that is meant; "" takes any. What ran is kept as a version.
func (g *Registry) Commit(ctx context.Context, digest, by string) (Version, config.Findings, error) {
	return g.CommitWithin(ctx, digest, by, 0)
}

// CommitWithin is Commit with the seconds of Version.Confirm, 10 to 86,400 or 0.
func (g *Registry) CommitWithin(ctx context.Context, digest, by string, confirm int) (Version, config.Findings, error) {
	if confirm != 0 && (confirm < 10 || confirm > 86400) {
		return Version{}, nil, fmt.Errorf("commit configuration: %w, not %d", ErrConfirm, confirm)
	}
	v, finds, err := g.commit(ctx, digest, by, confirm)
	if err != nil {
		return v, finds, fmt.Errorf("commit configuration: %w", err)
	}
	return v, finds, nil
}

func (g *Registry) commit(ctx context.Context, digest, by string, confirm int) (v Version, finds config.Findings, err error) {
	checked := ""
	err = store.Update(ctx, g.Store, func(t *store.Tx) error {
		cand, found, err := store.Read[Version](t, candidateKey)
		switch {
		case err != nil:
			return err
		case !found:
			return ErrNoCandidate
		case digest != "" && digest != cand.Digest:
			return ErrChanged
		}
		if cand.Digest != checked { // once, not at every try
			d, err := cand.Draft()
			if err != nil {
				return err
			}
			if finds = checkAll(d); finds.Failed() {
				return &FindingsError{finds}
			}
			checked = cand.Digest
		}
		was, _, err := store.Read[Version](t, runningKey)
		if err != nil {
			return err
		}
		v = cand
		v.Number, v.Time, v.By, v.Confirm = was.Number+1, clock().UTC(), by, confirm
		t.Set(runningKey, v)
		t.Put(candidateKey, nil)
		if was.Number > 0 {
			t.Set(versionKey(was.Number), was)
		}
		t.Put(versionKey(was.Number-keepVersions), nil)
		return nil
	})
	return v, finds, err
}

func versionKey(n int) string { return store.Path(keyVersion, fmt.Sprintf("%08d", max(n, 0))) }

// Running returns the configuration that runs; its number is 0 if there is none.
func (g *Registry) Running(ctx context.Context) (Version, error) {
	v, _, err := store.Load[Version](ctx, g.Store, runningKey)
	return v, err
}

// Candidate returns what was loaded and not committed; false: nothing.
func (g *Registry) Candidate(ctx context.Context) (Version, bool, error) {
	return store.Load[Version](ctx, g.Store, candidateKey)
}

// Versions returns those that ran before, oldest first, ten at most.
func (g *Registry) Versions(ctx context.Context) ([]Version, error) {
	return store.All[Version](ctx, g.Store, store.Below(keyVersion))
}

// running returns the running configuration, parsed.
func (g *Registry) running(ctx context.Context) (*parsed, error) {
	it, err := g.Store.Get(ctx, runningKey)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.parsed != nil && g.parsed.revision == it.Revision {
		return g.parsed, nil
	}
	var v Version
	if it.Revision != 0 {
		if err := json.Unmarshal(it.Value, &v); err != nil {
			return nil, fmt.Errorf("read running configuration: %w", err)
		}
	}
	d, err := v.Draft()
	if err != nil {
		return nil, err
	}
	auth, _ := config.Parse(d.JSON()) // it had no errors when it was committed
	if auth == nil {
		auth = &config.Authority{}
	}
	p := &parsed{revision: it.Revision, version: v, auth: auth, places: map[string]asset.Place{}, peers: map[string]map[string]bool{},
		shelving: newShelving(auth)}
	for _, r := range auth.Routers {
		for _, n := range r.Nodes {
			if n.AssetID != "" {
				p.places[n.AssetID] = asset.Place{Router: r.Name, Node: n.Name}
			}
		}
	}
	g.parsed = p
	return p, nil
}

// Place returns which node of the running configuration an asset is; zero: none.
func (g *Registry) Place(ctx context.Context, id string) (asset.Place, error) {
	p, err := g.running(ctx)
	if err != nil {
		return asset.Place{}, err
	}
	return p.places[id], nil
}

// Wanted returns the configuration that an asset should run, and which node of
// it it is; the place is zero if it should run none.
func (g *Registry) Wanted(ctx context.Context, id string) (Version, asset.Place, error) {
	p, err := g.running(ctx)
	if err != nil {
		return Version{}, asset.Place{}, err
	}
	return p.version, p.places[id], nil
}

// peersOf returns the routers that a router has paths to, by the running
// configuration.
func (g *Registry) peersOf(p *parsed, router string) map[string]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if set, ok := p.peers[router]; ok {
		return set
	}
	set := map[string]bool{}
	if r := p.auth.FindRouter(router); r != nil {
		for _, n := range r.Nodes {
			list, _ := p.auth.Adjacencies(router, n.Name)
			for _, a := range list {
				set[a.PeerRouter] = true
			}
		}
	}
	p.peers[router] = set
	return set
}
