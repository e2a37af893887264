package module

import (
	"strings"
	"testing"

	"waymark/mgmt/salt/msgpack"
)

// A commit stays when the master is reached after it, and only then.
func TestConfirm(t *testing.T) {
	for _, away := range []bool{false, true} {
		m, box := newMinion(), newBox(t)
		cfg := box.Config.(*fakeConfig)
		cfg.cut = func() { m.offline = away }
		o := New(box).Run(t.Context(), m, call("state.apply"), 0)
		state, _ := o.Value.(msgpack.Map)
		result, _ := state.Get("waymark_|-configuration_|-running_|-committed").(msgpack.Map)
		comment := result.Text("comment")
		switch {
		case !away && (result.Get("result") != true || cfg.confirmed != 1):
			t.Errorf("master there: %v, confirmed %d times", o, cfg.confirmed)
		case away && (result.Get("result") != false || o.Retcode != 2 || cfg.confirmed != 0 || !strings.Contains(comment, "goes back")):
			t.Errorf("master away: %v, confirmed %d times", o, cfg.confirmed)
		}
		m.offline = false
	}
	m, box := newMinion(), newBox(t)
	if o := New(box).Run(t.Context(), m, call("waymark.rollback"), 0); o.Retcode != 0 || box.Config.(*fakeConfig).confirmed != 1 {
		t.Errorf("rollback: %v", o)
	}
}
