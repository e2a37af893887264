package module

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waymark/mgmt/salt/msgpack"
)

// m is a map in want.
var m = msgpack.KV

// Every function with good and with bad arguments. want is compared in its
// form on the wire; a string that begins with "~" is a part of the text.
var calls = []struct {
	fun     string
	args    []any
	want    any
	retcode int
}{
	{"test.ping", nil, true, 0},
	{"test.ping", []any{1}, "~takes at most 0 arguments, 1 given", 1},
	{"test.ping", []any{kw("a", 1)}, `~unexpected keyword argument "a"`, 1},
	{"test.version", nil, Compatible, 0},
	{"test.version", []any{"x"}, "~takes at most", 1},
	{"test.echo", []any{"hello"}, "hello", 0},
	{"test.echo", []any{kw("text", m("a", 1))}, m("a", 1), 0},
	{"test.echo", nil, "~takes at least 1 arguments, 0 given. Usage: test.echo(text)", 1},
	{"test.arg", []any{1, "a", kw("b", 2)}, m("args", []any{1, "a"}, "kwargs", m("b", 2, "__pub_fun", "test.arg", "__pub_arg", []any{1, "a", kw("b", 2)}, "__pub_tgt", "*", "__pub_jid", "self", "__pub_user", "root")), 0},
	{"test.arg", []any{msgpack.Map{{Key: "__kwarg__", Value: true}, {Key: int64(5), Value: 1}}}, "~unexpected keyword argument", 1},
	{"test.sleep", []any{0}, true, 0},
	{"test.sleep", []any{"0.01"}, true, 0},
	{"test.sleep", []any{-1}, "~length must be", 1},
	{"test.sleep", []any{1e12}, "~length must be", 1},
	{"test.sleep", []any{"soon"}, "~length must be", 1},
	{"test.nothing", nil, "'test.nothing' is not available.", 1},
	{"os.system", []any{"id"}, "'os.system' is not available.", 1},
	{"cmd.run", []any{"id"}, "'cmd.run' is not available.", 1},
	{"x\n" + strings.Repeat("y", 200), nil, "~'x?yyy", 1},

	{"grains.items", nil, newMinion().grains, 0},
	{"grains.items", []any{kw("sanitize", true)}, newMinion().grains, 0},
	{"grains.items", []any{1, 2}, "~at most", 1},
	{"grains.item", []any{"os", "net:wan", "none"}, m("os", "Waymark", "net:wan", "up", "none", ""), 0},
	{"grains.item", []any{"none", kw("default", 5)}, m("none", 5), 0},
	{"grains.item", nil, "~at least 1", 1},
	{"grains.item", []any{7}, "~key must be text", 1},
	{"grains.get", []any{"net:wan"}, "up", 0},
	{"grains.get", []any{"net;wan", kw("delimiter", ";")}, "up", 0},
	{"grains.get", []any{"roles"}, []any{"branch", "lab"}, 0},
	{"grains.get", []any{"none", "dflt"}, "dflt", 0},
	{"grains.get", []any{kw("key", "os")}, "Waymark", 0},
	{"grains.get", nil, "~at least", 1},
	{"grains.get", []any{[]any{}}, "~key must be text", 1},
	{"grains.get", []any{"a", "", ""}, "~delimiter must not be empty", 1},
	{"grains.ls", nil, []any{"id", "net", "os", "roles"}, 0},
	{"grains.ls", []any{"os"}, "~at most", 1},
	{"pillar.items", nil, newMinion().pillar, 0},
	{"pillar.items", []any{"x"}, "~at most", 1},
	{"pillar.item", []any{"site"}, m("site", "berlin"), 0},
	{"pillar.item", nil, "~at least", 1},
	{"pillar.get", []any{"waymark:config:authority:name"}, "new", 0},
	{"pillar.get", []any{"none", kw("default", []any{})}, []any{}, 0},
	{"pillar.get", []any{5}, "~key must be text", 1},
	{"pillar.ls", nil, []any{"site", "waymark"}, 0},
	{"pillar.ls", []any{1}, "~at most", 1},

	{"event.send", []any{"waymark/alarm", m("a", 1)}, true, 0},
	{"event.send", []any{"waymark/alarm", kw("a", 1)}, true, 0},
	{"event.send", nil, "~at least", 1},
	{"event.send", []any{""}, "~tag must be", 1},
	{"event.send", []any{"a\nb"}, "~tag must be", 1},
	{"event.send", []any{strings.Repeat("a", 257)}, "~tag must be", 1},
	{"event.send", []any{5}, "~tag must be text", 1},
	{"event.send", []any{"a", "text"}, "~data must be a map", 1},
	{"event.fire_master", []any{m("a", 1), "waymark/alarm"}, true, 0},
	{"event.fire_master", []any{m("a", 1)}, "~at least 2", 1},
	{"event.fire_master", []any{m("a", 1), 5}, "~tag must be text", 1},

	{"saltutil.find_job", []any{"100"}, m("pid", 7, "jid", "100", "fun", "test.sleep"), 0},
	{"saltutil.find_job", []any{int64(100)}, m("pid", 7, "jid", "100", "fun", "test.sleep"), 0},
	{"saltutil.find_job", []any{"200"}, msgpack.Map{}, 0},
	{"saltutil.find_job", nil, "~at least", 1},
	{"saltutil.find_job", []any{[]any{}}, "~jid must be text", 1},
	{"saltutil.running", nil, []any{m("pid", 7, "jid", "100", "fun", "test.sleep")}, 0},
	{"saltutil.running", []any{1}, "~at most", 1},
	{"saltutil.is_running", []any{"test.*"}, []any{m("pid", 7, "jid", "100", "fun", "test.sleep")}, 0},
	{"saltutil.is_running", []any{"state.*"}, []any{}, 0},
	{"saltutil.is_running", []any{5}, "~fun must be text", 1},
	{"saltutil.kill_job", []any{"100"}, "Signal 9 sent to job 100 at pid 7", 0},
	{"saltutil.kill_job", []any{"200"}, "", 0},
	{"saltutil.kill_job", []any{"self"}, "", 0},
	{"saltutil.kill_job", []any{true}, "~jid must be text", 1},
	{"saltutil.term_job", []any{"100"}, "Signal 9 sent to job 100 at pid 7", 0},
	{"saltutil.refresh_pillar", nil, true, 0},
	{"saltutil.refresh_pillar", []any{kw("wait", true, "timeout", 30)}, true, 0},
	{"saltutil.refresh_pillar", []any{kw("when", 1)}, "~unexpected keyword", 1},
	{"saltutil.refresh_grains", nil, true, 0},
	{"saltutil.refresh_modules", nil, true, 0},
	{"saltutil.refresh_beacons", nil, true, 0},
	{"saltutil.refresh_beacons", []any{1}, "~at most", 1},
	{"saltutil.refresh_matchers", nil, true, 0},
	{"saltutil.sync_modules", []any{kw("saltenv", "base")}, []any{}, 0},
	{"saltutil.sync_modules", []any{1, 2, 3}, "~at most", 1},
	{"saltutil.sync_all", nil, "~map", 0},
	{"saltutil.sync_everything", nil, "~not available", 1},

	{"sys.list_functions", []any{"test"}, []any{"test.arg", "test.echo", "test.ping", "test.sleep", "test.version"}, 0},
	{"sys.list_functions", []any{"test.p*", "grains.ls"}, []any{"grains.ls", "test.ping"}, 0},
	{"sys.list_functions", []any{"none"}, []any{}, 0},
	{"sys.list_functions", []any{1}, "~name must be text", 1},
	{"sys.doc", []any{"test.ping"}, m("test.ping", "test.ping()\n\nReturn True."), 0},
	{"sys.doc", []any{1}, "~name must be text", 1},

	{"state.apply", []any{1}, "~mods must be text", 1},
	{"state.apply", []any{"nginx"}, []any{"No matching sls found for 'nginx' in env 'base'"}, 1},
	{"state.apply", []any{[]any{"waymark", "../etc"}}, []any{"No matching sls found for '../etc' in env 'base'"}, 1},
	{"state.apply", []any{kw("test", "yes")}, "~test must be True or False", 1},
	{"state.highstate", []any{"waymark"}, "~at most 0", 1},
	{"state.sls", nil, "~at least 1", 1},

	{"cp.hash_file", []any{"salt://fw.bin"}, m("hsum", "f541874101876255b4baf3a739778d04cb9cba25ffa38b30bc1fb8b0701f2a45", "hash_type", "sha256"), 0},
	{"cp.hash_file", []any{"salt://fw.bin?saltenv=base"}, m("hsum", "f541874101876255b4baf3a739778d04cb9cba25ffa38b30bc1fb8b0701f2a45", "hash_type", "sha256"), 0},
	{"cp.hash_file", []any{"salt://none"}, msgpack.Map{}, 0},
	{"cp.hash_file", []any{"/etc/shadow"}, "~refused path", 1},
	{"cp.hash_file", []any{"salt://../etc/shadow"}, "~refused path", 1},
	{"cp.hash_file", []any{5}, "~path must be text", 1},
	{"cp.hash_file", nil, "~at least", 1},
	{"cp.get_file", []any{"salt://fw.bin", "/srv/dl/fw.bin"}, "/srv/dl/fw.bin", 0},
	{"cp.get_file", []any{kw("path", "salt://fw.bin", "dest", "a/b", "makedirs", true)}, "a/b", 0},
	{"cp.get_file", []any{"salt://none", "/x"}, "", 0},
	{"cp.get_file", []any{"salt://fw.bin"}, "~at least 2", 1},
	{"cp.get_file", []any{"salt://fw.bin", 5}, "~dest must be text", 1},
	{"cp.get_file", []any{"salt://fw.bin", "x", "../prod"}, "~refused path", 1},

	{"status.loadavg", nil, m("1-min", 0.10, "5-min", 0.20, "15-min", 0.30), 0},
	{"status.loadavg", []any{1}, "~at most", 1},
	{"status.meminfo", nil, m("MemTotal", m("value", "96000", "unit", "kB"), "HugePages_Total", m("value", "0")), 0},
	{"status.cpuinfo", nil, m("processor", "0", "flags", []any{"fpu", "aes"}), 0},
	{"status.vmstats", nil, m("nr_free", 17), 0},
	{"status.nproc", nil, 2, 0},
	{"status.version", nil, "Linux version 6.12", 0},
	{"status.netdev", nil, "~map", 0},
	{"status.cpustats", nil, "~map", 0},
	{"status.uptime", nil, "~map", 0},
	{"status.uptime", []any{1}, "~at most", 1},
	{"status.time", nil, "~day", 0},
	{"status.diskusage", []any{"/"}, m("/", m("total", uint64(1000), "available", uint64(400))), 0},
	{"status.diskusage", []any{5}, "~refused path", 1},
	{"status.diskusage", []any{"etc"}, "~refused path", 1},
	{"status.all_status", nil, "~map", 0},
	{"network.interfaces", nil, m(
		"wan0", m("up", true, "hwaddr", "02:00:00:00:00:01", "inet", []any{m("address", "192.0.2.1", "netmask", "255.255.255.252", "broadcast", "192.0.2.3", "label", "wan0")}, "inet6", []any{m("address", "fe80::1", "prefixlen", "64", "scope", "link")}),
		"lo", m("up", true, "inet", []any{m("address", "127.0.0.1", "netmask", "255.0.0.0", "broadcast", "127.255.255.255", "label", "lo")}, "inet6", []any{m("address", "::1", "prefixlen", "128", "scope", "host")})), 0},
	{"network.interfaces", []any{1}, "~at most", 1},

	{"system.reboot", nil, true, 0},
	{"system.reboot", []any{"now"}, true, 0},
	{"system.reboot", []any{5}, true, 0},
	{"system.reboot", []any{-5}, "~at_time must be", 1},
	{"system.reboot", []any{"tomorrow"}, "~at_time must be", 1},
	{"waymark.show", []any{"peers"}, []any{m("peer", "hub1", "detail", false)}, 0},
	{"waymark.show", []any{"peers", kw("detail", true)}, []any{m("peer", "hub1", "detail", true)}, 0},
	{"waymark.show", []any{"../etc"}, "~unknown table", 1},
	{"waymark.show", []any{5}, "~what must be text", 1},
	{"waymark.show", []any{"peers", "x"}, "~detail must be True or False", 1},
	{"waymark.show", nil, "~at least", 1},
	{"waymark.config", nil, m("authority", m("name", "old")), 0},
	{"waymark.config", []any{1}, "~at most", 1},
	{"waymark.rollback", nil, "1", 0},
	{"waymark.rollback", []any{1}, "1", 0},
	{"waymark.rollback", []any{"7"}, "~no such version", 1},
	{"waymark.rollback", []any{[]any{}}, "~version must be text", 1},
}

// none are functions that take no arguments, or one too many of these.
var none = strings.Fields("saltutil.refresh_matchers status.time status.meminfo status.cpuinfo status.vmstats status.nproc " +
	"status.version status.netdev status.cpustats status.all_status")

func init() {
	for _, name := range none {
		calls = append(calls, badCall(name, []any{1}, "~takes at most 0 arguments, 1 given"))
	}
	for name, bad := range map[string]struct {
		args []any
		want string
	}{
		"saltutil.sync_all": {[]any{1, 2, 3}, "~takes at most"}, "saltutil.refresh_modules": {[]any{kw("when", 1)}, "~unexpected keyword"}, "saltutil.refresh_grains": {[]any{kw("when", 1)}, "~unexpected keyword"},
		"saltutil.term_job": {[]any{[]any{}}, "~jid must be text"}, "pillar.item": {[]any{7}, "~key must be text"},
	} {
		calls = append(calls, badCall(name, bad.args, bad.want))
	}
}

// badCall is a call that must fail.
func badCall(fun string, args []any, want string) (c struct {
	fun     string
	args    []any
	want    any
	retcode int
}) {
	c.fun, c.args, c.want, c.retcode = fun, args, want, 1
	return c
}

// wire is what is compared: the form on the wire, in which 1 is 1 whatever type
// it has here.
func wire(t *testing.T, v any) []byte {
	t.Helper()
	out, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatalf("%v: %v", v, err)
	}
	return out
}

// received turns arguments into what comes out of the decoder.
func received(t *testing.T, args []any) []any {
	v, err := msgpack.Decode(wire(t, list(args)))
	if err != nil {
		t.Fatal(err)
	}
	return v.([]any)
}

func TestCalls(t *testing.T) {
	for _, tt := range calls {
		o := New(newBox(t)).Run(t.Context(), newMinion(), call(tt.fun, received(t, tt.args)...), 0)
		if o.Retcode != tt.retcode || o.Success != (tt.retcode == 0) {
			t.Errorf("%.40q %v: code %d, success %v, %v", tt.fun, tt.args, o.Retcode, o.Success, o.Value)
		}
		if part, ok := tt.want.(string); ok && strings.HasPrefix(part, "~") {
			text, isText := o.Value.(string)
			if _, isMap := o.Value.(msgpack.Map); part == "~map" && isMap {
				continue
			}
			if !isText || !strings.Contains(text, part[1:]) {
				t.Errorf("%s %v: %v, want …%s…", tt.fun, tt.args, o.Value, part[1:])
			}
			continue
		}
		if !bytes.Equal(wire(t, o.Value), wire(t, tt.want)) {
			t.Errorf("%s %v:\n got %v\nwant %v", tt.fun, tt.args, o.Value, tt.want)
		}
	}
}

// Each function of the table is called well and badly by the one above, or has
// a test of its own.
func TestCallsAreComplete(t *testing.T) {
	good, bad := map[string]bool{}, map[string]bool{}
	for _, c := range calls {
		good[c.fun] = good[c.fun] || c.retcode == 0
		bad[c.fun] = bad[c.fun] || c.retcode != 0
	}
	for _, name := range New(newBox(t)).Names() {
		if strings.HasPrefix(name, "saltutil.sync_") { // one function under many names
			for _, args := range [][]any{nil, {1, 2, 3}} {
				o := New(newBox(t)).Run(t.Context(), newMinion(), call(name, received(t, args)...), 0)
				good[name], bad[name] = good[name] || o.Success && args == nil, bad[name] || !o.Success && args != nil
			}
		}
		if !bad[name] || !good[name] && !strings.HasPrefix(name, "state.") { // those are TestState's
			t.Errorf("%s: good %v, bad %v", name, good[name], bad[name])
		}
	}
}

// Nothing panics and nothing passes that has arguments of every type.
func TestWildArguments(t *testing.T) {
	set := New(newBox(t))
	wild := []any{nil, true, int64(-1), uint64(1 << 63), 1.5, "\xff\x00", []any{[]any{}}, msgpack.KV("a", nil), msgpack.Ext{Type: 78}, strings.Repeat("a", 1<<16)}
	for _, name := range set.Names() {
		if name == "test.sleep" || name == "system.reboot" {
			continue
		}
		for _, a := range wild {
			for _, args := range [][]any{{a}, {a, a}, {a, a, a}, {kw("path", a, "dest", a)}, {kw("test", a, "pillar", a)}} {
				o := set.Run(t.Context(), newMinion(), call(name, args...), 0)
				if s, ok := o.Value.(string); ok && strings.Contains(s, "exception") {
					t.Errorf("%s(%.60v): %s", name, args, s)
				}
			}
		}
	}
}

// What the box lacks is said, not faked.
func TestBareBox(t *testing.T) {
	set := New(&Box{})
	for _, c := range [][]any{{"waymark.show", "peers"}, {"waymark.config"}, {"waymark.rollback"}, {"state.apply"}, {"system.reboot"}, {"cp.get_file", "salt://a", "a"}, {"status.loadavg"}, {"status.diskusage"}, {"network.interfaces"}} {
		o := set.Run(t.Context(), newMinion(), call(c[0].(string), c[1:]...), 0)
		if text, _ := o.Value.(string); o.Retcode != 1 || !strings.HasPrefix(text, "ERROR: this box cannot do that") {
			t.Errorf("%v: %v", c, o)
		}
	}
}

func TestMasterAway(t *testing.T) {
	for _, c := range [][]any{{"pillar.items"}, {"saltutil.refresh_pillar"}, {"saltutil.refresh_grains"}, {"saltutil.sync_all"}, {"event.send", "a"}, {"cp.hash_file", "salt://fw.bin"}, {"cp.get_file", "salt://fw.bin", "a"}} {
		min := newMinion()
		min.offline = true
		o := New(newBox(t)).Run(t.Context(), min, call(c[0].(string), c[1:]...), 0)
		if text, _ := o.Value.(string); o.Retcode != 1 || !strings.Contains(text, errOffline.Error()) {
			t.Errorf("%v: %v", c, o)
		}
	}
}

func TestEventData(t *testing.T) {
	min := newMinion()
	New(newBox(t)).Run(t.Context(), min, call("event.send", "waymark/alarm", m("alarm", "peer-up", "severity", "cleared")), 0)
	want := m("tag", "waymark/alarm", "data", m("__pub_fun", "event.send", "__pub_arg", []any{"waymark/alarm", m("alarm", "peer-up", "severity", "cleared")},
		"__pub_tgt", "*", "__pub_jid", "self", "__pub_user", "root", "alarm", "peer-up", "severity", "cleared"))
	if len(min.fired) != 1 || !bytes.Equal(wire(t, min.fired[0]), wire(t, want)) {
		t.Errorf("%v", min.fired)
	}
}

func state(t *testing.T, box *Box, min *fakeMinion, args ...any) (result msgpack.Map, retcode int) {
	t.Helper()
	o := New(box).Run(t.Context(), min, call("state.apply", args...), 0)
	all, _ := o.Value.(msgpack.Map)
	result, ok := all.Get("waymark_|-configuration_|-running_|-committed").(msgpack.Map)
	if !ok || o.Out != "highstate" {
		t.Fatalf("%+v", o)
	}
	return result, o.Retcode
}

func TestState(t *testing.T) {
	change := m("authority > name", m("old", "old", "new", "new"))
	config := func(name string) msgpack.Map {
		return m("waymark", m("config", m("authority", m("name", name))))
	}
	for name, tt := range map[string]struct {
		args    []any
		config  fakeConfig
		result  any
		changes msgpack.Map
		comment string
		retcode int
		running string
	}{
		"commit":          {nil, fakeConfig{running: oldConfig}, true, change, "Configuration committed as version 2", 0, `{"authority":{"name":"new"}}`},
		"by name":         {[]any{"waymark"}, fakeConfig{running: oldConfig}, true, change, "committed", 0, `{"authority":{"name":"new"}}`},
		"test":            {[]any{"waymark", kw("test", true)}, fakeConfig{running: oldConfig}, nil, change, "1 changes would be committed", 0, oldConfig},
		"nothing to do":   {nil, fakeConfig{running: `{"authority":{"name":"new"}}`}, true, msgpack.Map{}, "is the desired one", 0, `{"authority":{"name":"new"}}`},
		"pillar on top":   {[]any{kw("pillar", config("top"))}, fakeConfig{running: oldConfig}, true, change, "committed", 0, `{"authority":{"name":"top"}}`},
		"refused":         {[]any{kw("pillar", config("bad"))}, fakeConfig{running: oldConfig}, false, msgpack.Map{}, "authority > name: bad is not allowed", 2, oldConfig},
		"commit fails":    {nil, fakeConfig{running: oldConfig, broken: true}, false, msgpack.Map{}, "disk full", 2, oldConfig},
		"no config":       {[]any{kw("pillar", m("waymark", "x"))}, fakeConfig{running: oldConfig}, false, msgpack.Map{}, "no waymark:config", 2, oldConfig},
		"pillar no map":   {[]any{kw("pillar", "x")}, fakeConfig{running: oldConfig}, false, msgpack.Map{}, "pillar must be a map", 2, oldConfig},
		"bytes in config": {[]any{kw("pillar", config("\xff"))}, fakeConfig{running: oldConfig}, false, msgpack.Map{}, "no text", 2, oldConfig},
	} {
		t.Run(name, func(t *testing.T) {
			box := newBox(t)
			box.Config = &tt.config
			got, code := state(t, box, newMinion(), tt.args...)
			if got.Get("result") != tt.result || code != tt.retcode || !strings.Contains(got.Text("comment"), tt.comment) || tt.config.running != tt.running {
				t.Errorf("%v, code %d, running %s", got, code, tt.config.running)
			}
			if !bytes.Equal(wire(t, got.Get("changes")), wire(t, tt.changes)) {
				t.Errorf("changes %v", got.Get("changes"))
			}
			for _, k := range []string{"name", "__sls__", "__id__", "__run_num__", "start_time", "duration"} {
				if got.Get(k) == nil {
					t.Errorf("no %s", k)
				}
			}
		})
	}
}

func TestStateWithoutPillar(t *testing.T) {
	min := newMinion()
	min.offline = true
	o := New(newBox(t)).Run(t.Context(), min, call("state.apply"), 0)
	if o.Retcode != 5 || len(o.Value.([]any)) != 2 {
		t.Errorf("%+v", o)
	}
}

// One state run at a time, as with stock minions.
func TestStateRunsAlone(t *testing.T) {
	box := newBox(t)
	set := New(box)
	set.state <- struct{}{}
	if o := set.Run(t.Context(), newMinion(), call("state.apply"), 0); o.Retcode != 1 {
		t.Errorf("%+v", o)
	}
	<-set.state
	for range 2 {
		if o := set.Run(t.Context(), newMinion(), call("state.apply"), 0); o.Retcode != 0 {
			t.Errorf("%+v", o)
		}
	}
}

func TestSleepCanBeEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		o := New(&Box{}).Run(ctx, newMinion(), call("test.sleep", int64(60)), 0)
		if o.Retcode != 1 || time.Since(began) != 5*time.Second {
			t.Errorf("%+v after %v", o, time.Since(began))
		}
	})
}

func TestBrokenFunction(t *testing.T) {
	box := newBox(t)
	box.Show = func(context.Context, string, bool) ([]any, error) { panic("broken") }
	if o := New(box).Run(t.Context(), newMinion(), call("waymark.show", "peers"), 0); o.Retcode != 1 || !strings.Contains(o.Value.(string), "exception: broken") {
		t.Errorf("%+v", o)
	}
}

func TestGetFile(t *testing.T) {
	box := newBox(t)
	set := New(box)
	for dest, where := range map[string]string{"/srv/dl/fw.bin": "srv/dl/fw.bin", "plain": "plain", "dir/": "dir/fw.bin", "/": "fw.bin"} {
		if o := set.Run(t.Context(), newMinion(), call("cp.get_file", "salt://fw.bin", dest), 0); o.Value != dest {
			t.Errorf("%s: %+v", dest, o)
		}
		if got, err := os.ReadFile(filepath.Join(box.Files, where)); err != nil || !bytes.Equal(got, file()) {
			t.Errorf("%s: %d bytes, %v", where, len(got), err)
		}
	}
	lying := newMinion()
	lying.lies = strings.Repeat("0", 64)
	if o := set.Run(t.Context(), lying, call("cp.get_file", "salt://fw.bin", "lie"), 0); o.Retcode != 1 || !strings.Contains(o.Value.(string), "hash is") {
		t.Errorf("%+v", o)
	}
	left, err := filepath.Glob(filepath.Join(box.Files, "*lie*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestPathTricks(t *testing.T) {
	box := newBox(t)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(box.Files, "link")); err != nil {
		t.Fatal(err)
	}
	set := New(box)
	for _, dest := range []string{"../x", "/../x", "a/../../x", "/a/../../etc/x", "a//b", "./x", "a/./b", "..", ".", "a\x00b", "a\nb", "link/x", "/link/../x", "\xff"} {
		min := newMinion()
		o := set.Run(t.Context(), min, call("cp.get_file", "salt://fw.bin", dest), 0)
		if o.Retcode != 1 {
			t.Errorf("%q: %+v", dest, o)
		}
		if dest != "link/x" && min.fetches > 0 {
			t.Errorf("%q: the master was asked", dest)
		}
	}
	for _, src := range []string{"fw.bin", "http://x/fw.bin", "file:///etc/shadow", "/etc/shadow", "salt://", "salt:///etc/shadow", "salt://../x", "salt://a/../../x", "salt://a//b", "salt://./a", "salt://a\x00", "salt://a?saltenv=../x", "salt://a?saltenv="} {
		min := newMinion()
		for _, c := range [][]any{{"cp.get_file", src, "x"}, {"cp.hash_file", src}} {
			o := set.Run(t.Context(), min, call(c[0].(string), c[1:]...), 0)
			if o.Retcode != 1 || min.fetches > 0 || !strings.Contains(o.Value.(string), "refused path") {
				t.Errorf("%v: %+v, asked %d times", c, o, min.fetches)
			}
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("outside: %v, %v", left, err)
	}
	if left, err := os.ReadDir(box.Files); err != nil || len(left) != 1 {
		t.Errorf("file area: %v, %v", left, err)
	}
}
