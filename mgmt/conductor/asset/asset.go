// Package asset decides about boxes: who is accepted, who waits, who is one too
// many. It is pure: an asset and a claim in, an asset and a verdict out.
//
// A box proves a key and says an id. The first key of an id that the
// configuration names is accepted; one of another id waits for an operator. Any
// further key under the same id is a duplicate: one of both boxes is not what it
// says, and both show until an operator chooses.
package asset

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"waymark/mgmt/uplink"
)

// Verdict is what was decided about an asset.
type Verdict string

// The verdicts.
const (
	Pending  Verdict = "pending"
	Accepted Verdict = "accepted"
	Rejected Verdict = "rejected"
)

// Channel is where a key is proven.
type Channel string

// The channels: the SSH connection to port 930, and Salt.
const (
	Uplink Channel = "uplink"
	Salt   Channel = "salt"
)

// Claimant is a key that claimed an asset id.
type Claimant struct {
	Finger string    `json:"finger"`         // fingerprint, SHA-256
	Text   string    `json:"text,omitempty"` // the key: PEM of Salt's
	From   string    `json:"from"`           // address it came from first
	First  time.Time `json:"first"`          // UTC
	Last   time.Time `json:"last"`           // UTC, of rivals; a minute exact
}

// Asset is one box as the conductors know it.
type Asset struct {
	ID      string               `json:"id"`
	Verdict Verdict              `json:"verdict"`
	By      string               `json:"by,omitempty"` // who decided: "configuration" or an operator
	Keys    map[Channel]Claimant `json:"keys"`
	Rivals  map[Channel]Claimant `json:"rivals,omitempty"` // the last other key of each channel
	// SaltFinger is the fingerprint of the minion's key as the accepted box told
	// it over the uplink: then no other is taken.
	SaltFinger string              `json:"salt-finger,omitempty"`
	Facts      uplink.Facts        `json:"facts"`
	First      time.Time           `json:"first"` // UTC
	Config     *uplink.ConfigState `json:"config,omitempty"`
	// Replace is the digest of the configuration that may overwrite what was
	// edited on the box; "" none.
	Replace string `json:"replace,omitempty"`
	Twins   Twins  `json:"twins,omitzero"` // machines that have its key
}

// Claim is a key that says to be an asset, proven on a channel.
type Claim struct {
	ID      string
	Channel Channel
	Finger  string
	Text    string
	From    string
	Boot    string // what the machine calls its boot, by uplink
	Known   bool   // the configuration names the id
	Now     time.Time
}

// rivalEvery is how exactly the last attempt of a rival is kept.
const rivalEvery = time.Minute

// Decide returns what becomes of a claim and the asset after it. A zero asset is
// one that nobody claimed yet. The returned asset shares nothing with a.
func Decide(a Asset, c Claim) (Asset, uplink.State) {
	a = a.clone()
	if a.ID == "" {
		a.ID, a.Verdict, a.First = c.ID, Pending, c.Now.UTC()
	}
	own, has := a.Keys[c.Channel]
	vouched := c.Channel == Salt && a.SaltFinger != ""
	switch {
	case vouched && c.Finger != a.SaltFinger, has && own.Finger != c.Finger:
		return a.rival(c), uplink.StateDuplicate
	case !has:
		a.Keys[c.Channel] = c.claimant()
	}
	if a.Verdict == Pending && c.Known {
		a.Verdict, a.By = Accepted, "configuration"
	}
	switch a.Verdict {
	case Accepted:
		return a, uplink.StateAccepted
	case Rejected:
		return a, uplink.StateRejected
	}
	return a, uplink.StatePending
}

func (c *Claim) claimant() Claimant {
	return Claimant{Finger: c.Finger, Text: c.Text, From: c.From, First: c.Now.UTC(), Last: c.Now.UTC()}
}

// rival notes a claim of another key.
func (a Asset) rival(c Claim) Asset {
	r, ok := a.Rivals[c.Channel]
	switch {
	case !ok || r.Finger != c.Finger:
		a.Rivals[c.Channel] = c.claimant()
	case c.Now.Sub(r.Last) >= rivalEvery:
		r.Last = c.Now.UTC()
		a.Rivals[c.Channel] = r
	}
	return a
}

// Tell takes what an accepted box says of itself. A minion's key that is not
// the one it tells of becomes a rival.
func (a Asset) Tell(f uplink.Facts) Asset {
	a = a.clone()
	a.Facts = f
	if f.SaltKey == "" || f.SaltKey == a.SaltFinger {
		return a
	}
	a.SaltFinger = f.SaltKey
	if s, ok := a.Keys[Salt]; ok && s.Finger != f.SaltKey {
		a.Rivals[Salt] = s
		delete(a.Keys, Salt)
	}
	if r, ok := a.Rivals[Salt]; ok && r.Finger == f.SaltKey {
		a.Keys[Salt] = r
		delete(a.Rivals, Salt)
	}
	return a
}

// Errors of operators' decisions.
var (
	ErrUnknown   = errors.New("no such asset")
	ErrChoose    = errors.New("two keys claim the asset: name the one to accept")
	ErrNoSuchKey = errors.New("no claimant has such a key")
)

// Accept is an operator's decision for the asset. Where two keys claim it, key
// names one by its fingerprint or the beginning of it; the other is forgotten.
func (a Asset) Accept(key, by string) (Asset, error) {
	if a.ID == "" {
		return a, ErrUnknown
	}
	a = a.clone()
	claimed := Uplink // by what the box is known
	if _, ok := a.Keys[Uplink]; !ok {
		claimed = Salt
	}
	if key == "" && a.Rivals[claimed].Finger != "" && a.Verdict != Accepted {
		return a, ErrChoose
	}
	if key != "" {
		if err := a.choose(key); err != nil {
			return a, err
		}
	}
	a.Verdict, a.By = Accepted, by
	return a, nil
}

// choose makes the claimant of that key the owner, and forgets its rival.
func (a *Asset) choose(key string) error {
	for _, ch := range []Channel{Uplink, Salt} {
		own, rival := a.Keys[ch], a.Rivals[ch]
		isOwn, isRival := names(key, own), names(key, rival)
		switch {
		case isOwn && isRival:
			return fmt.Errorf("%w: more than one begins with %q", ErrNoSuchKey, key)
		case isRival:
			a.Keys[ch] = rival
			if ch == Uplink { // another box: what the first one told is void
				a.SaltFinger, a.Config, a.Facts = "", nil, uplink.Facts{}
				delete(a.Keys, Salt)
			} else {
				a.SaltFinger = ""
			}
		case !isOwn:
			continue
		}
		delete(a.Rivals, ch)
		return nil
	}
	return fmt.Errorf("%w: %q", ErrNoSuchKey, key)
}

func names(key string, c Claimant) bool {
	return c.Finger != "" && (strings.HasPrefix(c.Finger, key) || strings.HasPrefix(strings.TrimPrefix(c.Finger, "SHA256:"), key))
}

// Reject is an operator's decision against the asset.
func (a Asset) Reject(by string) (Asset, error) {
	if a.ID == "" {
		return a, ErrUnknown
	}
	a = a.clone()
	a.Verdict, a.By = Rejected, by
	return a, nil
}

// clone returns an asset whose maps are its own and never nil.
func (a Asset) clone() Asset {
	keys, rivals := map[Channel]Claimant{}, map[Channel]Claimant{}
	for ch, c := range a.Keys {
		keys[ch] = c
	}
	for ch, c := range a.Rivals {
		rivals[ch] = c
	}
	a.Keys, a.Rivals = keys, rivals
	return a
}
