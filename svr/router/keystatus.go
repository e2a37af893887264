package router

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"waymark/net/keep"
	"waymark/svr/policy"
)

// rekeyIndex is the key version that metadata names: keys are configured, so
// there is one.
const rekeyIndex = 1

// keyStatus is since when the router has the keys that it has, in KeysFile. Keys
// come with the configuration: nobody leads their exchange, none is due.
type keyStatus struct {
	Salt    []byte    `json:"salt"` // so that the digest tells nothing of weak keys
	Digest  string    `json:"digest"`
	Since   time.Time `json:"since"`   // UTC
	Changes uint64    `json:"changes"` // of the configuration's keys, ever
	Errors  uint64    `json:"errors"`  // files that could not be read or written
}

// openKeyStatus looks whether the keys are others than those of the last start.
func openKeyStatus(set *Settings, t *policy.Tables, now time.Time) *keyStatus {
	file := keep.File{Path: filepath.Join(set.stateDir(), KeysFile)}
	k := &keyStatus{}
	err := file.Load(k)
	if err != nil {
		*k = keyStatus{Errors: 1}
	}
	if len(k.Salt) == 0 {
		salt := seed16()
		k.Salt = salt[:]
	}
	digest := k.digest(t)
	if digest != k.Digest {
		if k.Digest != "" {
			k.Changes++
		}
		k.Digest, k.Since = digest, now.UTC().Truncate(time.Second)
	}
	b, encodeErr := json.Marshal(k)
	if encodeErr == nil {
		encodeErr = file.Save(append(b, '\n'))
	}
	if encodeErr != nil {
		k.Errors++
	}
	if err != nil || encodeErr != nil {
		set.Log.Warn("age of the keys is not kept", "read", err, "write", encodeErr)
	}
	return k
}

// digest tells keys apart, whatever else of the policies changes.
func (k *keyStatus) digest(t *policy.Tables) string {
	h := hmac.New(sha256.New, k.Salt)
	for i := range t.Security {
		s := &t.Security[i].Security
		fmt.Fprintf(h, "%q %v %x %v %x\n", s.Name, s.Cipher, s.Key, s.HMACCipher, s.HMACKey)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (r *Router) showKeyStatus(a *answer) error {
	k := r.keys
	return a.row("configured", rekeyIndex, timeOrNull(k.Since), nil, 0, k.Changes, 0, k.Errors)
}
