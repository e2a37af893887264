// Package salt is the protocol between a Salt minion and its master, version 3,
// as pure functions: bytes, keys and a clock in, bytes and values out. Package
// minion speaks it as a box, package master as a conductor; packages msgpack,
// zmtp and crypt are the layers below. docs/salt.md tells what each side does.
//
// Source: salt/{crypt,minion,master,channel}.py of 3006 and 3007, proven against
// the recordings of stock masters and minions in testdata.
package salt

import (
	"errors"
	"io"
	"time"

	"waymark/mgmt/salt/crypt"
)

// Versions of the protocol.
const (
	Version2 = 2 // 3004.1 to 3006.11, 3007.0 to 3007.3: all minions share one key
	Version3 = 3 // 3006.12 and 3007.4 on: a session key for each minion
)

// prefix stands before every encrypted value; nothing is pickled any more.
const prefix = "pickle::"

// Errors of the protocol. A caller that gets ErrRefused or crypt.ErrCrypticle
// authenticates again, once.
var (
	ErrRefused   = errors.New("master refused")
	ErrMalformed = errors.New("malformed message")
	ErrNonce     = errors.New("answer to another question")
	ErrMasterKey = errors.New("master has another key than the pinned one")
	ErrFinger    = errors.New("master's key has another fingerprint")
	ErrVersion   = errors.New("master speaks only protocol 2, which is not allowed")
	ErrID        = errors.New("not a minion id")
)

// Algorithms of RSA that a side uses. Masters before 3006.9 know SHA1 alone.
type Algorithms struct {
	Enc, Sig string
}

// SHA1 is Salt's default, SHA224 what a FIPS installation sets.
var (
	SHA1   = Algorithms{crypt.OAEPSHA1, crypt.PKCSSHA1}
	SHA224 = Algorithms{crypt.OAEPSHA224, crypt.PKCSSHA224}
)

// Identity is a minion: who it is and what it demands of a master.
type Identity struct {
	ID     string
	Key    *crypt.Private
	Alg    Algorithms
	Random io.Reader // for IVs and tokens: crypto/rand.Reader except in tests

	AllowV2 bool          // accept a master without session keys
	Finger  string        // fingerprint of the master's key at first contact; "" takes any
	Signer  *crypt.Public // master_sign.pub: must have signed the master's key; nil asks for nothing
	Relaxed bool          // take publications that are not signed, as stock minions do

	tok string
}

// NewIdentity computes what is constant in the life of a key.
func NewIdentity(id string, key *crypt.Private, alg Algorithms, random io.Reader) (*Identity, error) {
	if !ValidID(id) {
		return nil, ErrID
	}
	tok, err := key.SignX931([]byte("salt"))
	if err != nil {
		return nil, err
	}
	return &Identity{ID: id, Key: key, Alg: alg, Random: random, tok: string(tok)}, nil
}

// Session is what an accepted minion shares with its master.
type Session struct {
	Publish *crypt.Crypticle // of publications, shared by all minions
	Private *crypt.Crypticle // of requests; nil with protocol 2
	Master  *crypt.Public
	Port    int // of publications
}

// requests is the key of requests.
func (s *Session) requests() *crypt.Crypticle {
	if s.Private != nil {
		return s.Private
	}
	return s.Publish
}

// ValidID tells whether an id may name a minion: what could be a path, or cannot
// be printed, may not.
func ValidID(id string) bool {
	if id == "" || len(id) > 128 || id[0] == '.' {
		return false
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c >= 0x7f || c == '/' || c == '\\' {
			return false
		}
	}
	return true
}

// stamp is the form of times in returns: UTC, microseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000") }
