package boxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
	"waymark/image/vm/vmtest"
)

// Each board has its LTE by another way: stickBoard by a USB stick in Ethernet
// mode, tagBoard by a card whose provider speaks on a tag.
const (
	stickBoard = "qemu-x86_64"
	tagBoard   = "qemu-arm64"
	lteTag     = 35
)

// onStick puts the LTE of a configuration on a stick. What its bytes cost the
// configuration does not say: the type of the device does.
func onStick(t testing.TB, config []byte) []byte {
	t.Helper()
	return exchange(t, config, `"name": "lte", "type": "ethernet", "target-interface": "wan1"`, `"name": "lte", "type": "lte", "target-interface": "lte0"`,
		`"billing-type": "metered",`, ``)
}

// onTag puts the LTE of a configuration on its tag.
func onTag(t testing.TB, config []byte) []byte {
	t.Helper()
	return exchange(t, config, `{"name": "lte", "inter-router-security"`, fmt.Sprintf(`{"name": "lte", "vlan": %d, "inter-router-security"`, lteTag))
}

// exchange replaces texts by others, in turn; each is there once.
func exchange(t testing.TB, config []byte, pairs ...string) []byte {
	t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		if bytes.Count(config, []byte(pairs[i])) != 1 {
			t.Fatalf("not once in the configuration: %s", pairs[i])
		}
		config = bytes.Replace(config, []byte(pairs[i]), []byte(pairs[i+1]), 1)
	}
	return config
}

// until asks again and again whether something holds.
func (s *site) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for ctx := vmtest.Context(t); !holds(); {
		if ctx.Err() != nil {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// peerPaths are the interfaces over which the hub is reached.
func (s *site) peerPaths(t *testing.T) (up []string) {
	t.Helper()
	var rows []struct {
		Interface string `json:"network-interface"`
		Status    string
	}
	if err := json.Unmarshal([]byte(s.waymark(t, "show", "peers", "-json")), &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Status == "up" {
			up = append(up, r.Interface)
		}
	}
	return up
}

// overStick pulls the fibre's cable: the page comes over the stick, through SVR.
func (s *site) overStick(t *testing.T) {
	t.Helper()
	s.until(t, "a path over the stick", func() bool { return slices.Contains(s.peerPaths(t), "lte") })
	if wans := s.readFile(t, "resolv.json"); strings.Count(wans, `"metered": true`) != 1 {
		t.Errorf("a stick is metered unless the configuration says otherwise:\n%s", wans)
	}
	s.do(t, world.Branch, "ip", "link", "set", "wan0", "down")
	s.until(t, "the fibre's path is down", func() bool { return !slices.Contains(s.peerPaths(t), "fiber") })
	s.fetch(t)
	s.svr(t)
	s.do(t, world.Branch, "ip", "link", "set", "wan0", "up")
	s.until(t, "the fibre's path is back", func() bool { return slices.Contains(s.peerPaths(t), "fiber") })
}
