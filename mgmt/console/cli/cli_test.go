package cli_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"waymark/mgmt/console/cli"
	"waymark/mgmt/token"
)

func run(context.Context, *cli.Input) error { return nil }

// words are the values of an argument.
func words(list ...string) func([]string) []cli.Word {
	return func([]string) (all []cli.Word) {
		for _, w := range list {
			all = append(all, cli.Word{Text: w, Help: "a " + w})
		}
		return all
	}
}

// rows is the keyword that tables have.
var rows = cli.Arg{Name: "rows", Help: "how many", Keyword: true, Check: func(s string) error {
	if strings.Trim(s, "0123456789") != "" {
		return errors.New("no number")
	}
	return nil
}}

var tree = &cli.Tree{Commands: []*cli.Command{
	{Name: "show", Help: "ask the router", Sub: []*cli.Command{
		{Name: "peers", Help: "peer paths", Run: run, Args: []cli.Arg{{Name: "detail", Help: "all columns", Keyword: true, Flag: true}, rows}},
		{Name: "sessions", Help: "sessions", Run: run, Args: []cli.Arg{rows}},
		{Name: "tenant", Help: "tenants", Sub: []*cli.Command{{Name: "members", Help: "who belongs", Run: run}}},
	}},
	{Name: "ping", Help: "ask a host", Run: run, Args: []cli.Arg{
		{Name: "host", Help: "its name or address"}, {Name: "count", Help: "how often", Keyword: true},
		{Name: "interface", Help: "way out", Keyword: true, Values: words("fiber", "lte")}}},
	{Name: "reboot", Help: "start again", Level: cli.Admin, Run: run},
	{Name: "log", Help: "log of the box", Run: run, Args: []cli.Arg{{Name: "lines", Help: "newest", Optional: true}},
		Sub: []*cli.Command{{Name: "follow", Help: "and what comes", Run: run}}},
	{Name: "delete", Help: "remove", Level: cli.Admin, Run: run, Args: []cli.Arg{{Name: "path", Help: "what", Rest: true,
		Values: func(before []string) []cli.Word { return words(fmt.Sprintf("step%d", len(before)))(nil) }}}},
},
	Default: &cli.Command{Name: "set", Help: "change", Level: cli.Admin, Run: run, Args: []cli.Arg{{Name: "path", Help: "what", Rest: true,
		Values: func(before []string) []cli.Word { return words("router", "service")(nil) }}}},
}

func TestParse(t *testing.T) {
	for _, row := range []struct {
		line  string
		level cli.Level
		want  string // path and values
		err   error
		text  string // part of the error
	}{
		{"", cli.Admin, "", nil, ""},
		{"  ", cli.Admin, "", nil, ""},
		{"show peers", 0, "show peers", nil, ""},
		{"sh pe", 0, "show peers", nil, ""},
		{"show peers detail rows 5", 0, "show peers detail= rows=5", nil, ""},
		{"show peers rows 5 det", 0, "show peers detail= rows=5", nil, ""},
		{"show tenant members", 0, "show tenant members", nil, ""},
		{"show", 0, "", cli.ErrIncomplete, "show: incomplete: peers, sessions or tenant follows"},
		{"show peers rows", 0, "", cli.ErrIncomplete, "a value of rows"},
		{"show peers rows x", 0, "", cli.ErrValue, `rows "x": no number`},
		{"show peers rows 1 rows 2", 0, "", cli.ErrValue, "twice"},
		{"show peers colour", 0, "", cli.ErrUnknown, "known: detail, rows"},
		{"show peers detial", 0, "", cli.ErrUnknown, `did you mean "detail"?`},
		{"show sesions", 0, "", cli.ErrUnknown, `show: unknown: "sesions"; did you mean "sessions"?`},
		{"shwo peers", 0, "", cli.ErrUnknown, `did you mean "show"?`},
		{"fly", 0, "", cli.ErrUnknown, "known: show, ping, log"},
		{"ping", 0, "", cli.ErrIncomplete, "<host> follows"},
		{"ping 10.0.0.1 count 3", 0, "ping count=3 host=10.0.0.1", nil, ""},
		{"ping count 3 10.0.0.1", 0, "ping count=3 host=10.0.0.1", nil, ""},
		{"ping a b", 0, "", cli.ErrUnknown, "count, interface"},
		{"reboot", cli.Operator, "", cli.ErrLevel, "needs level admin"},
		{"reb", cli.Operator, "", cli.ErrUnknown, `"reb"`},
		{"reboot", cli.Admin, "reboot", nil, ""},
		{"reboot now", cli.Admin, "", cli.ErrUnknown, "too much"},
		{"log", 0, "log", nil, ""},
		{"log 20", 0, "log lines=20", nil, ""},
		{"log follow", 0, "log follow", nil, ""},
		{"delete router r1 \"a b\"", cli.Admin, "delete path=router|r1|a b", nil, ""},
		{"delete", cli.Admin, "", cli.ErrIncomplete, "<path> follows"},
		{"router r1", cli.Admin, " path=router|r1", nil, ""},
		{"router r1", cli.Operator, "", cli.ErrUnknown, "router"},
		{`ping "a`, 0, "", token.ErrQuote, ""},
		{"ping a\x01", 0, "", token.ErrControl, ""},
		{strings.Repeat("a", token.MaxLine+1), 0, "", token.ErrTooLong, ""},
	} {
		in, err := tree.Parse(row.line, row.level)
		if !errors.Is(err, row.err) || (err != nil && !strings.Contains(err.Error(), row.text)) {
			t.Errorf("Parse(%q) = %v, want %v with %q", row.line, err, row.err, row.text)
		}
		if got := said(in); err == nil && got != row.want {
			t.Errorf("Parse(%q) = %q, want %q", row.line, got, row.want)
		}
	}
}

// said writes an input down.
func said(in *cli.Input) string {
	if in == nil {
		return ""
	}
	s := strings.Join(in.Path, " ")
	for _, a := range []string{"count", "detail", "host", "lines", "path", "rows"} {
		if in.Has(a) {
			s += " " + a + "=" + strings.Join(in.Rest(a), "|")
		}
	}
	return s
}

func TestOptions(t *testing.T) {
	for _, row := range []struct{ line, want string }{
		{"", "delete log ping reboot router service show"},
		{"s", "service show"},
		{"show ", "peers sessions tenant"},
		{"show p", "peers"},
		{"show peers ", "detail rows <enter>"},
		{"show peers detail ", "rows <enter>"},
		{"show peers rows ", "<rows>"},
		{"show peers rows 5", "<rows>"},
		{"show peers rows 5 ", "detail <enter>"},
		{"show nothing ", ""},
		{"ping ", "<host>"},
		{"ping a ", "count interface <enter>"},
		{"ping a interface ", "fiber lte"},
		{"ping a interface l", "lte"},
		{"log ", "follow <lines> <enter>"},
		{"delete ", "step0"},
		{"delete step0 x ", "step2 <enter>"},
		{"router ", "router service <enter>"},
		{"show\x01", ""},
	} {
		var got []string
		for _, w := range tree.Options(row.line, cli.Admin) {
			got = append(got, w.Text)
		}
		if s := strings.Join(got, " "); s != row.want {
			t.Errorf("Options(%q) = %q, want %q", row.line, s, row.want)
		}
	}
	for _, w := range tree.Options("", cli.Operator) {
		if w.Text == "reboot" || w.Text == "router" {
			t.Errorf("an operator is offered %q", w.Text)
		}
	}
}

func TestComplete(t *testing.T) {
	for _, row := range []struct {
		line, want string
		ok         bool
	}{
		{"sho", "show ", true},
		{"show pe", "show peers ", true},
		{"show peers", "show peers ", true},
		{"show ", "show ", false},
		{"x", "x", false},
		{"ping a interface f", "ping a interface fiber ", true},
		{"ping a interface \"f", "ping a interface fiber ", true},
		{"ping a cou", "ping a count ", true},
		{"ping ", "ping ", false},
		{"ro", "router ", true},
	} {
		got, ok := tree.Complete(row.line, cli.Admin)
		if ok != row.ok || ok && got != row.want {
			t.Errorf("Complete(%q) = %q, %v, want %q, %v", row.line, got, ok, row.want, row.ok)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, row := range []struct {
		line, want string
	}{
		{"ping", "ping: ask a host\nusage: ping <host> [count <count>] [interface <interface>]\n"},
		{"show", "show: ask the router\n  peers     peer paths\n  sessions  sessions\n  tenant    tenants\n"},
		{"", "  show    ask the router\n"},
		{"delete", "usage: delete <path>...\n"},
	} {
		var b strings.Builder
		if err := tree.Usage(&b, strings.Fields(row.line), cli.Admin); err != nil || !strings.HasPrefix(b.String(), row.want) && !strings.Contains(b.String(), row.want) {
			t.Errorf("Usage(%q) = %v\n%swant\n%s", row.line, err, b.String(), row.want)
		}
	}
	if err := tree.Usage(&strings.Builder{}, []string{"shwo"}, cli.Admin); !errors.Is(err, cli.ErrUnknown) {
		t.Errorf("usage of an unknown command: %v", err)
	}
}

// FuzzLine: whatever is typed, parser and completion agree with each other and
// what was split can be joined again.
func FuzzLine(f *testing.F) {
	for _, s := range []string{"show peers detail rows 5", `delete "a b" "\"\\"`, "ping 1 count 2 interface fi", "log ", "ro r1 \"", "\tshow\t", `a"b c"d`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		list, err := token.Split(line)
		if err == nil {
			again, err := token.Split(token.Join(list))
			if len(token.Join(list)) <= token.MaxLine && (err != nil || !slices.Equal(list, again)) {
				t.Fatalf("Split(Join(%q)) = %q, %v", list, again, err)
			}
		}
		in, err := tree.Parse(line, cli.Admin)
		if err == nil && in != nil && in.Command.Run == nil {
			t.Fatalf("Parse(%q) returns a command that cannot run", line)
		}
		longer, ok := tree.Complete(line, cli.Admin)
		if !ok {
			return
		}
		before, errBefore := token.Split(line)
		after, errAfter := token.Split(longer)
		if errAfter != nil {
			t.Fatalf("Complete(%q) = %q: %v", line, longer, errAfter)
		}
		if errBefore == nil && (len(after) < len(before) || len(after) > len(before)+1) {
			t.Fatalf("Complete(%q) = %q changes the number of words", line, longer)
		}
	})
}
