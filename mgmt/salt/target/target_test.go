package target_test

import (
	"errors"
	"strings"
	"testing"

	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/target"
)

var subject = target.Subject{
	ID: "cpe-1",
	Grains: msgpack.KV("os", "Debian", "osmajorrelease", int64(12), "ok", true, "load", 1.0, "none", nil,
		"roles", []any{"branch", "lab"}, "ipv4", []any{"127.0.0.1", "192.0.2.7"}, "ipv6", []any{"::1", "2001:db8::7"},
		"model", "wm:1", "disks", []any{msgpack.KV("name", "mmc0")},
		"net", msgpack.KV("wan", msgpack.KV("carrier", "Acme"), int64(5), "five")),
	Pillar: msgpack.KV("site", "berlin", "way", msgpack.KV("mark", "on"), "empty", msgpack.Map{}),
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		kind, tgt string
		want      bool
	}{
		{"glob", "*", true}, {"glob", "cpe-*", true}, {"glob", "CPE-1", false}, {"glob", "cpe-[0-9]", true},
		{"glob", "cpe-[!1]", false}, {"glob", "cpe-?", true}, {"glob", "cpe", false}, {"glob", "", false},
		{"list", "cpe-2,cpe-1", true}, {"list", "cpe-2, cpe-1", true}, {"list", "cpe-11", false}, {"list", "", false},
		{"pcre", "cpe-[12]$", true}, {"pcre", "cpe", true}, {"pcre", "pe-1", false}, {"pcre", "x|cpe-1", true},
		{"grain", "os:Debian", true}, {"grain", "os:debian", true}, {"grain", "OS:Debian", false}, {"grain", "os:Deb*", true},
		{"grain", "os", false}, {"grain", "os:Ubuntu", false}, {"grain", "nothing:*", false}, {"grain", "roles:lab", true},
		{"grain", "roles:hub", false}, {"grain", "osmajorrelease:12", true}, {"grain", "ok:true", true}, {"grain", "load:1.0", true},
		{"grain", "none:none", false}, {"grain", "model:wm:1", true}, {"grain", "net:wan:carrier:acme", true}, {"grain", "net:wan", true},
		{"grain", "net:lan", false}, {"grain", "net:*:carrier:acme", true}, {"grain", "net:5:five", true}, {"grain", "disks:name:mmc0", true},
		{"grain", "disks:0:name:mmc*", true}, {"grain", "disks:7:name:mmc0", false}, {"grain", "*:wan", true},
		{"grain_pcre", "os:deb", true}, {"grain_pcre", "os:(ubuntu|debian)$", true}, {"grain_pcre", "os:ebian", false}, {"grain_pcre", "os:(", false},
		{"pillar", "site:ber*", true}, {"pillar", "way:mark:on", true}, {"pillar", "empty:*", false}, {"pillar_pcre", "site:b.r", true},
		{"pillar_exact", "site:berlin", true}, {"pillar_exact", "site:ber*", false},
		{"ipcidr", "192.0.2.7", true}, {"ipcidr", "192.0.2.0/24", true}, {"ipcidr", "198.51.100.0/24", false}, {"ipcidr", "2001:db8::/32", true},
		{"ipcidr", "2001:db8::8", false},
		{"compound", "G@os:Debian and cpe-* and not L@cpe-9", true}, // as recorded
		{"compound", "cpe-1", true}, {"compound", "cpe-2 or G@os:Debian", true}, {"compound", "not cpe-1", false},
		{"compound", "not not cpe-1", true}, {"compound", "cpe-1 not cpe-2", true}, {"compound", "( cpe-2 or cpe-1 ) and S@192.0.2.0/24", true},
		{"compound", "cpe-2 or cpe-1 and not G@os:Debian", false}, {"compound", "G;@model;wm:1", true}, {"compound", "P@os:deb and E@cpe-\\d", true},
		{"compound", "I@site:berlin and J@site:b", true}, {"compound", "I@site:ber*", true}, {"compound_pillar_exact", "I@site:ber*", false},
		{"compound", "L@a,cpe-1,b", true}, {"compound", "x@y", false}, {"compound", "G@", false},
	} {
		got, err := target.Match(subject, tt.tgt, tt.kind, ":")
		if err != nil || got != tt.want {
			t.Errorf("%s %q: %v, %v, want %v", tt.kind, tt.tgt, got, err, tt.want)
		}
	}
	for _, list := range []any{[]any{"cpe-2", "cpe-1"}, []any{"cpe-1"}} {
		if ok, err := target.Match(subject, list, "list", ":"); !ok || err != nil {
			t.Errorf("%v: %v, %v", list, ok, err)
		}
	}
	if ok, _ := target.Match(subject, []any{int64(1), "cpe-2"}, "list", ":"); ok {
		t.Error("not in the list")
	}
	if ok, err := target.Match(subject, []any{"cpe-2", "or", "cpe-1"}, "compound", ":"); !ok || err != nil {
		t.Errorf("compound as words: %v, %v", ok, err)
	}
	if ok, err := target.Match(subject, "net;wan;carrier;acme", "grain", ";"); !ok || err != nil {
		t.Errorf("other delimiter: %v, %v", ok, err)
	}
}

func TestNobodyIsMeant(t *testing.T) {
	for _, tt := range []struct {
		kind string
		tgt  any
	}{
		{"range", "x"}, {"nodegroup", "x"}, {"data", "x"}, {"cache", "x"}, {"", "*"}, {"glob", nil}, {"glob", []any{"*"}}, {"glob", int64(1)},
		{"pcre", "("}, {"pcre", "(?=cpe)"}, {"ipcidr", "x"}, {"ipcidr", "192.0.2.7/24"}, {"glob", strings.Repeat("*", 5000)},
		{"compound", ""}, {"compound", "and cpe-1"}, {"compound", "cpe-1 and"}, {"compound", "( cpe-1"}, {"compound", "cpe-1 )"},
		{"compound", "( and cpe-1 )"}, {"compound", "cpe-1 cpe-1"}, {"compound", "N@x"}, {"compound", "R@x"}, {"compound", "E@("}, {"compound", "not"},
		{"compound", strings.Repeat("( ", 100) + "*"}, {"compound", []any{nil}},
	} {
		if ok, err := target.Match(subject, tt.tgt, tt.kind, ":"); ok || !errors.Is(err, target.ErrTarget) {
			t.Errorf("%s %.40v: %v, %v", tt.kind, tt.tgt, ok, err)
		}
	}
}

func TestGlobIsFnmatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true}, {"**", "a/b", true}, {"a*c", "abbc", true}, {"a*c", "abb", false}, {"[", "[", true}, {"[a", "[a", true},
		{"[]]", "]", true}, {"[!]]", "]", false}, {"[!]]", "a", true}, {"[a-c]x", "bx", true}, {"[^a]", "^", true}, {"[^a]", "b", false},
		{"[a-]", "-", true}, {"?", "世", true}, {"?", "", false}, {"*b*b*b", "abab", false}, {"[[]", "[", true}, {"a?", "a", false},
	} {
		if got := target.Glob(tt.pattern, tt.text); got != tt.want {
			t.Errorf("%q on %q: %v", tt.pattern, tt.text, got)
		}
	}
}

func TestTraverse(t *testing.T) {
	for path, want := range map[string]any{
		"os": "Debian", "net:wan:carrier": "Acme", "roles:1": "lab", "roles:-1": nil, "roles:2": nil, "disks:name": "mmc0", "net:5": "five", "os:x": nil, "": nil, "net::x": nil,
	} {
		if got := target.Traverse(subject.Grains, path, ":"); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// Wildcards in deep data end.
func TestSearchIsBounded(t *testing.T) {
	var deep any = "x"
	for range 60 {
		deep = msgpack.KV("a", deep, "b", deep)
	}
	s := target.Subject{ID: "a", Grains: deep.(msgpack.Map)}
	if ok, err := target.Match(s, "a:"+strings.Repeat("*:", 60)+"y", "grain", ":"); ok || !errors.Is(err, target.ErrTarget) {
		t.Errorf("%v, %v", ok, err)
	}
}

func FuzzMatch(f *testing.F) {
	for _, kind := range []string{"glob", "list", "pcre", "grain", "grain_pcre", "pillar_exact", "ipcidr", "compound"} {
		f.Add("G@os:Debian and ( cpe-[!2] or not S@10.0.0.0/8 )", kind, ":")
		f.Add("net:*:carrier", kind, ";")
	}
	f.Fuzz(func(t *testing.T, expr, kind, delimiter string) {
		if ok, err := target.Match(subject, expr, kind, delimiter); ok && err != nil {
			t.Fatalf("meant, with error %v", err)
		}
	})
}
