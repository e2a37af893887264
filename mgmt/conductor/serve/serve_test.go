package serve

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/registry"
	"waymark/mgmt/conductor/store"
	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/server"
)

// newcomer is a box that has just connected and takes what it is sent.
type newcomer struct {
	server.Box
	claim server.Claim
	got   []*uplink.Config
}

func (n *newcomer) Claim() *server.Claim { return &n.claim }

func (n *newcomer) SendConfig(_ context.Context, c *uplink.Config) (*uplink.ConfigState, error) {
	n.got = append(n.got, c)
	s := n.claim.Hello.Facts
	return &uplink.ConfigState{Status: uplink.ConfigInSync, Running: s.Config, Sent: s.Config, Router: s.Router, Node: s.Node}, nil
}

// A box that comes with the committed configuration is not sent it, unless what it
// said last was no: only its yes puts that right, as when it went back from a
// configuration that locked it out and the one of before is committed again.
func TestComesWithIt(t *testing.T) {
	text, err := os.ReadFile("../../config/testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	const id = "WM-0001"
	for _, tt := range []struct {
		name  string
		state *uplink.ConfigState // that it told last; nil: none
		sent  int
	}{
		{"a stranger", nil, 0},
		{"in sync", &uplink.ConfigState{Status: uplink.ConfigInSync}, 0},
		{"waits for its confirmation", &uplink.ConfigState{Status: uplink.ConfigApplying}, 0},
		{"rolled back from another", &uplink.ConfigState{Status: uplink.ConfigRolledBack, Sent: "another"}, 1},
		{"refused another", &uplink.ConfigState{Status: uplink.ConfigInvalid, Sent: "another"}, 1},
		{"was edited", &uplink.ConfigState{Status: uplink.ConfigOutOfSync, Sent: "another"}, 1},
	} {
		g := &registry.Registry{Store: &store.Memory{}}
		if _, _, err := g.LoadConfig(t.Context(), text, "test"); err != nil {
			t.Fatal(err)
		}
		v, _, err := g.CommitWithin(t.Context(), "", "test", 20)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := g.Claim(t.Context(), asset.Claim{ID: id, Channel: asset.Uplink, Finger: "f"}); err != nil {
			t.Fatal(err)
		}
		c := &Conductor{Registry: g, Name: "c1", Log: slog.New(slog.DiscardHandler)}
		if tt.state != nil {
			if err := c.ConfigState(t.Context(), id, tt.state); err != nil {
				t.Fatal(err)
			}
		}
		n := &newcomer{}
		n.claim.Hello.Facts = uplink.Facts{Config: v.Digest, Router: "branch1", Node: "node1"}
		x := &box{c: c, box: n, id: id}
		if err := x.sendConfig(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(n.got) != tt.sent || len(n.got) > 0 && n.got[0].Confirm != 20 {
			t.Errorf("%s: sent %+v, want %d", tt.name, n.got, tt.sent)
		}
		if a, err := g.Asset(t.Context(), id); err != nil || tt.sent > 0 && (a.Config == nil || a.Config.Status != uplink.ConfigInSync) {
			t.Errorf("%s: stands as %+v, %v", tt.name, a.Config, err)
		}
		// Told only now that the box went back from another: it is due after all.
		if tt.state == nil || tt.state.Status != uplink.ConfigApplying {
			continue
		}
		if err := c.ConfigState(t.Context(), id, &uplink.ConfigState{Status: uplink.ConfigRolledBack, Sent: "another"}); err != nil {
			t.Fatal(err)
		}
		if err := x.sendConfig(t.Context()); err != nil || len(n.got) != 1 {
			t.Errorf("%s, then it went back: sent %+v, %v", tt.name, n.got, err)
		}
	}
	if _, _, err := (&registry.Registry{Store: &store.Memory{}}).CommitWithin(t.Context(), "", "test", 9); err == nil || !strings.Contains(err.Error(), "10 to 86400") {
		t.Errorf("nine seconds: %v", err)
	}
}
