package module

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"waymark/mgmt/salt/msgpack"
)

// stateKeywords are those of stock state functions that mean something here, or
// nothing anywhere.
const stateKeywords = "mods test pillar saltenv pillarenv queue concurrent exclude"

var stateTable = map[string]function{
	"state.apply": {usage: "mods=None, test=False, pillar=None", max: 1, keywords: stateKeywords, out: "highstate",
		doc: "Commit the configuration of the pillar (waymark:config). With test=True tell what would change.", run: apply},
	"state.highstate": {usage: "test=False, pillar=None", keywords: strings.TrimPrefix(stateKeywords, "mods "), out: "highstate",
		doc: "The same as state.apply without names.", run: apply},
	"state.sls": {usage: "mods, test=False, pillar=None", min: 1, max: 1, keywords: stateKeywords, out: "highstate",
		doc: "The same as state.apply with names.", run: apply},
}

// stateName is the one state there is; modules lists the names it goes by.
const stateName = "waymark"

func apply(ctx context.Context, c *Call) (any, error) {
	select {
	case c.Set.state <- struct{}{}:
		defer func() { <-c.Set.state }()
	default:
		return nil, &Failure{[]any{"A state run is under way. Please wait for it to end."}, 1}
	}
	if err := checkModules(c.arg(0, "mods")); err != nil {
		return nil, err
	}
	test, err := c.flag(len(c.Args), "test")
	if err != nil {
		return nil, err
	}
	if c.Box.Config == nil {
		return nil, fmt.Errorf("%w: it has no configuration store", ErrCannot)
	}
	if err := c.Minion.RefreshPillar(ctx); err != nil {
		return nil, &Failure{[]any{"Pillar failed to render", err.Error()}, 5}
	}
	began := time.Now()
	result := commit(ctx, c, test)
	result.Set("__sls__", stateName)
	result.Set("__run_num__", 0)
	result.Set("start_time", began.UTC().Format("15:04:05.000000"))
	result.Set("duration", float64(time.Since(began).Microseconds())/1000)
	result.Set("__id__", "configuration")
	all := msgpack.KV("waymark_|-configuration_|-running_|-committed", result)
	if result.Get("result") == false {
		return nil, &Failure{all, 2}
	}
	return all, nil
}

// checkModules accepts nothing, our name, and lists of it.
func checkModules(mods any) error {
	var names []any
	switch m := mods.(type) {
	case nil:
		return nil
	case string:
		for name := range strings.SplitSeq(m, ",") {
			names = append(names, strings.TrimSpace(name))
		}
	case []any:
		names = m
	default:
		return &Failure{"Passed invalid arguments: mods must be text or a list", 1}
	}
	for _, n := range names {
		if n != stateName {
			return &Failure{[]any{fmt.Sprintf("No matching sls found for '%s' in env 'base'", printable(fmt.Sprint(n)))}, 1}
		}
	}
	return nil
}

// commit returns the state's result: true, false, or nil if it was a test and
// something would change.
func commit(ctx context.Context, c *Call, test bool) msgpack.Map {
	say := func(result any, changes msgpack.Map, format string, args ...any) msgpack.Map {
		return msgpack.KV("name", "running", "changes", changes, "result", result, "comment", fmt.Sprintf(format, args...))
	}
	none := msgpack.Map{}
	tree, err := desired(c)
	if err != nil {
		return say(false, none, "%v", err)
	}
	diff, err := c.Box.Config.Compare(ctx, tree)
	if err != nil {
		return say(false, none, "The configuration was refused: %v", err)
	}
	changes := msgpack.Map{}
	for _, d := range diff {
		changes.Set(d.Path, msgpack.KV("old", d.Old, "new", d.New))
	}
	switch {
	case len(diff) == 0:
		return say(true, none, "The running configuration is the desired one")
	case test:
		return say(nil, changes, "%d changes would be committed", len(diff))
	}
	version, err := c.Box.Config.Commit(ctx, tree)
	if err != nil {
		return say(false, none, "The commit failed: %v", err)
	}
	if err := confirm(ctx, c, version); err != nil {
		return say(false, changes, "Version %s ran and goes back: %v", version, err)
	}
	return say(true, changes, "Configuration committed as version %s", version)
}

// tagCommit is the tag, with the minion's id behind it, of the event that asks
// whether the master is still there after a commit.
const tagCommit = "waymark/commit/"

// confirm lets a commit stay when the master can be reached after it: what cuts
// the box off from its master comes back.
func confirm(ctx context.Context, c *Call, version string) error {
	limit, cancel := context.WithTimeout(ctx, c.Box.Config.Within()*9/10)
	defer cancel()
	for {
		err := c.Minion.Fire(limit, tagCommit+c.Minion.ID(), msgpack.KV("version", version))
		if err == nil {
			return c.Box.Config.Confirm(ctx)
		}
		select {
		case <-limit.Done():
			return fmt.Errorf("the master is not reached any more: %w", err)
		case <-time.After(time.Second):
		}
	}
}

// errNoConfig: the pillar says nothing.
var errNoConfig = errors.New("the pillar has no waymark:config")

// desired is the configuration in the pillar, with the caller's pillar laid over
// it.
func desired(c *Call) ([]byte, error) {
	pillar := c.Minion.Pillar()
	switch over := c.Keywords.Get("pillar").(type) {
	case nil:
	case msgpack.Map:
		pillar = merge(pillar, over)
	default:
		return nil, errors.New("pillar must be a map")
	}
	ours, _ := pillar.Get("waymark").(msgpack.Map)
	tree, ok := ours.Get("config").(msgpack.Map)
	if !ok {
		return nil, errNoConfig
	}
	return msgpack.ToJSON(tree)
}

// merge lays over on top of base, map by map, and changes neither.
func merge(base, over msgpack.Map) msgpack.Map {
	out := append(msgpack.Map(nil), base...)
	for _, p := range over {
		k, ok := p.Key.(string)
		if !ok {
			continue
		}
		below, ok1 := out.Get(k).(msgpack.Map)
		above, ok2 := p.Value.(msgpack.Map)
		if ok1 && ok2 {
			out.Set(k, merge(below, above))
			continue
		}
		out.Set(k, p.Value)
	}
	return out
}
