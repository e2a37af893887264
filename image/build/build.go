// Package build is what an image knows about itself. mkimage writes it, init and
// the update read it.
package build

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Paths inside an image.
const (
	Dir     = "/etc/waymark"
	File    = Dir + "/build.json"  // Info
	Config  = Dir + "/config.json" // built-in configuration, if any
	Router  = Dir + "/router"      // the router's name in it
	SBOM    = Dir + "/sbom.json"   // what the image is made of
	Program = "/bin/waymark"       // /init leads to it
)

// Info is one image.
type Info struct {
	Board   string    `json:"board"`
	Version string    `json:"version"`
	Counter uint64    `json:"counter"` // never lower than that of a committed image
	Built   time.Time `json:"built"`   // no clock of this image is ever before it
	Kernel  string    `json:"kernel"`  // release
	// TrialSeconds is how long this image may take to prove its health after an
	// update to it.
	TrialSeconds int `json:"trial-seconds"`
	// UpdateKeys are those whose bundles it takes, raw.
	UpdateKeys []ed25519.PublicKey `json:"update-keys"`
}

// Read reads the Info of a file.
func Read(name string) (Info, error) {
	var i Info
	b, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(b, &i)
	}
	if err != nil {
		return Info{}, fmt.Errorf("read image info: %w", err)
	}
	return i, nil
}
