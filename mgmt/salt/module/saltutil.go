package module

import (
	"context"
	"fmt"

	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/target"
)

// synced are the kinds of code that masters send to stock minions. A box runs
// none of it: nothing is ever synced, and saying so is the truth.
var synced = []string{"beacons", "clouds", "engines", "executors", "grains", "log_handlers", "matchers", "modules", "output", "pillar",
	"proxymodules", "renderers", "returners", "sdb", "serializers", "states", "thorium", "tops", "utils", "wrapper"}

func saltutilTable() map[string]function {
	t := map[string]function{
		"saltutil.find_job": {usage: "jid", doc: "Return a running job, or nothing.", min: 1, max: 1, keywords: "jid", control: true, run: findJob},
		"saltutil.running":  {doc: "Return the jobs that run.", control: true, run: running},
		"saltutil.is_running": {usage: "fun", doc: "Return the running jobs whose function fits.", min: 1, max: 1, keywords: "fun", control: true,
			run: isRunning},
		"saltutil.kill_job":        {usage: "jid", doc: "End a running job.", min: 1, max: 1, keywords: "jid", control: true, run: kill},
		"saltutil.term_job":        {usage: "jid", doc: "End a running job.", min: 1, max: 1, keywords: "jid", control: true, run: kill},
		"saltutil.refresh_pillar":  {usage: "wait=False, timeout=30", doc: "Fetch the pillar.", max: 2, keywords: "wait timeout clean_cache", run: refresh(true)},
		"saltutil.refresh_grains":  {usage: "refresh_pillar=True", doc: "Read the grains again and tell the master.", max: 1, keywords: "refresh_pillar clean_pillar_cache", run: refresh(false)},
		"saltutil.refresh_modules": {usage: "async=True", doc: "Return True: functions are part of the firmware.", max: 1, keywords: "async", run: nothing},
	}
	for _, what := range []string{"beacons", "matchers"} {
		t["saltutil.refresh_"+what] = function{doc: "Return True: there is nothing to refresh.", run: nothing}
	}
	for _, what := range synced {
		t["saltutil.sync_"+what] = function{usage: "saltenv=None, refresh=True", doc: "Return what was synced: nothing, functions are part of the firmware.",
			max: 2, keywords: "saltenv refresh extmod_whitelist extmod_blacklist",
			run: func(context.Context, *Call) (any, error) { return []any{}, nil }}
	}
	t["saltutil.sync_all"] = function{usage: "saltenv=None, refresh=True", doc: "Return what was synced: nothing, functions are part of the firmware.",
		max: 2, keywords: "saltenv refresh extmod_whitelist extmod_blacklist", run: syncAll}
	return t
}

func nothing(context.Context, *Call) (any, error) { return true, nil }

func syncAll(ctx context.Context, c *Call) (any, error) {
	out := msgpack.Map{}
	for _, what := range synced {
		out.Set(what, []any{})
	}
	return out, c.Minion.RefreshPillar(ctx)
}

func refresh(pillar bool) func(context.Context, *Call) (any, error) {
	return func(ctx context.Context, c *Call) (any, error) {
		do := c.Minion.RefreshGrains
		if pillar {
			do = c.Minion.RefreshPillar
		}
		if err := do(ctx); err != nil {
			return nil, err
		}
		return true, nil
	}
}

// jid takes numbers too: command lines turn digits into them.
func (c *Call) jid() (string, error) {
	switch v := c.arg(0, "jid").(type) {
	case string:
		return v, nil
	case int64:
		return fmt.Sprint(v), nil
	}
	return "", &Failure{"Passed invalid arguments: jid must be text", 1}
}

func findJob(_ context.Context, c *Call) (any, error) {
	jid, err := c.jid()
	if err != nil {
		return nil, err
	}
	for _, j := range c.Minion.Running() {
		if j.Text("jid") == jid {
			return j, nil
		}
	}
	return msgpack.Map{}, nil
}

// others are the running jobs without the one that asks.
func others(c *Call) []msgpack.Map {
	out := []msgpack.Map{}
	for _, j := range c.Minion.Running() {
		if j.Text("jid") != c.Job.JID {
			out = append(out, j)
		}
	}
	return out
}

func running(_ context.Context, c *Call) (any, error) {
	out := []any{}
	for _, j := range others(c) {
		out = append(out, j)
	}
	return out, nil
}

func isRunning(_ context.Context, c *Call) (any, error) {
	pattern, err := c.text(0, "fun", "")
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, j := range others(c) {
		if target.Glob(pattern, j.Text("fun")) {
			out = append(out, j)
		}
	}
	return out, nil
}

func kill(_ context.Context, c *Call) (any, error) {
	jid, err := c.jid()
	if err != nil {
		return nil, err
	}
	for _, j := range others(c) {
		if j.Text("jid") == jid && c.Minion.Kill(jid) {
			return fmt.Sprintf("Signal 9 sent to job %s at pid %v", jid, j.Get("pid")), nil
		}
	}
	return "", nil
}
