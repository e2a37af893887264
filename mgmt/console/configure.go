package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"waymark/mgmt/config"
	"waymark/mgmt/config/life"
	"waymark/mgmt/console/cli"
	"waymark/svr/router/ctl"
)

// errNoFile: nobody said where the configuration is.
var errNoFile = errors.New("this console does not know the configuration's file (-config FILE)")

// editor is the session while it configures.
type editor struct {
	draft *config.Draft
	at    config.Place
	tree  *cli.Tree
}

// store returns where the configuration is kept.
func (s *session) store() (*life.Store, error) {
	if s.o.Config == "" {
		return nil, errNoFile
	}
	return life.Open(s.o.Config), nil
}

// configCommands are those of the configuration that need no editor.
func (s *session) configCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "configure", Help: "change the configuration", Level: cli.Admin, Run: s.runConfigure},
		{Name: "confirm", Help: "keep what was committed", Level: cli.Admin, Run: s.runConfirm},
		{Name: "rollback", Help: "go back to a configuration that ran", Level: cli.Admin, Run: s.runRollback, Args: []cli.Arg{
			{Name: "version", Help: "its number (of an unconfirmed commit, else the last)", Optional: true, Check: number(1, 1<<30)}}},
	}
}

// showConfig are the tables about the configuration.
func (s *session) showConfig() *cli.Command {
	secrets := cli.Arg{Name: "secrets", Help: "keys too, so that the text can be read back", Keyword: true, Flag: true}
	return &cli.Command{Name: "config", Help: "the configuration", Sub: []*cli.Command{
		{Name: "running", Help: "what runs", Args: []cli.Arg{secrets}, Run: s.runShowRunning},
		{Name: "candidate", Help: "what is being edited", Args: []cli.Arg{secrets}, Run: s.runShowCandidate},
		{Name: "versions", Help: "what ran before", Run: s.runVersions},
		{Name: "version", Help: "one that ran before", Run: s.runShowVersion,
			Args: []cli.Arg{{Name: "number", Help: "which", Check: number(1, 1<<30)}, secrets}},
	}}
}

func (s *session) runConfigure(_ context.Context, in *cli.Input) error {
	st, err := s.store()
	if err != nil {
		return err
	}
	d, _, err := st.Candidate()
	if err != nil {
		return err
	}
	if _, err := st.Pending(); err == nil {
		fmt.Fprintln(in.Out, "The last commit is not confirmed: `confirm` keeps it, `rollback` undoes it.")
	}
	s.edit = &editor{draft: d}
	s.edit.tree = s.editTree()
	return nil
}

// editTree are the commands of the editor; a line that is none is a change.
func (s *session) editTree() *cli.Tree {
	path := func(name, help string, optional bool) cli.Arg {
		return cli.Arg{Name: name, Help: help, Rest: true, Optional: optional, Values: s.suggest}
	}
	own := []*cli.Command{
		{Name: "set", Help: "change a value, or enter a block", Run: s.runSet, Args: []cli.Arg{path("path", "names, keys and a value", false)}},
		{Name: "delete", Help: "remove a value or a block", Run: s.runDelete, Args: []cli.Arg{path("path", "names and keys", false)}},
		{Name: "top", Help: "go to the top", Run: func(context.Context, *cli.Input) error { s.edit.at = nil; return nil }},
		{Name: "up", Help: "go to the block around this one", Run: s.runUp},
		{Name: "where", Help: "tell where this is", Run: s.runWhere},
		{Name: "validate", Help: "find what is wrong", Run: s.runValidate},
		{Name: "compare", Help: "tell what differs from what runs, and what a change costs", Run: s.runCompare},
		{Name: "commit", Help: "let the candidate run; without `confirm` in time it goes back", Run: s.runCommit, Args: []cli.Arg{
			{Name: "within", Help: fmt.Sprintf("seconds to confirm (%d)", confirmDefault), Keyword: true, Check: number(10, 86400)},
			{Name: "now", Help: "needs no confirmation", Keyword: true, Flag: true}}},
		{Name: "discard", Help: "forget the candidate", Run: s.runDiscard},
		{Name: "show", Help: "show the candidate from here on, or state", Sub: append(s.showCommands(), s.showConfig()), Run: s.runShowHere},
		{Name: "exit", Help: "leave the block, then the editor", Run: s.runExit},
	}
	for _, c := range append(s.configCommands()[1:], s.general()...) {
		if c.Name != "exit" {
			own = append(own, c)
		}
	}
	return &cli.Tree{Commands: own, Default: &cli.Command{Name: "set", Help: "change", Level: cli.Admin, Run: s.runSet,
		Args: []cli.Arg{path("path", "names, keys and a value", false)}}}
}

// suggest completes names, keys and values.
func (s *session) suggest(before []string) (list []cli.Word) {
	for _, w := range s.edit.draft.Suggest(s.edit.at, before) {
		list = append(list, cli.Word{Text: w.Text, Help: w.Help, Hint: w.Hint})
	}
	return list
}

// changed keeps the candidate on the disk.
func (s *session) changed() error {
	st, err := s.store()
	if err != nil {
		return err
	}
	return st.KeepCandidate(s.edit.draft)
}

func (s *session) runSet(_ context.Context, in *cli.Input) error {
	at, err := s.edit.draft.Set(s.edit.at, in.Rest("path"))
	if err != nil {
		return err
	}
	s.edit.at = at
	return s.changed()
}

func (s *session) runDelete(_ context.Context, in *cli.Input) error {
	if err := s.edit.draft.Delete(s.edit.at, in.Rest("path")); err != nil {
		return err
	}
	return s.changed()
}

func (s *session) runUp(context.Context, *cli.Input) error {
	for n := len(s.edit.at) - 1; n >= 0; n-- {
		if at := s.edit.at[:n]; s.edit.draft.Has(at) {
			s.edit.at = at
			return nil
		}
	}
	return nil
}

func (s *session) runExit(ctx context.Context, in *cli.Input) error {
	if len(s.edit.at) > 0 {
		return s.runUp(ctx, in)
	}
	s.edit = nil
	return nil
}

func (s *session) runWhere(_ context.Context, in *cli.Input) error {
	_, err := fmt.Fprintln(in.Out, "configure "+strings.Join(s.edit.at, " "))
	return err
}

func (s *session) runShowHere(_ context.Context, in *cli.Input) error {
	text, err := s.edit.draft.TextAt(s.edit.at, false)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(in.Out, text)
	return err
}

func (s *session) runDiscard(context.Context, *cli.Input) error {
	st, err := s.store()
	if err == nil {
		err = st.DropCandidate()
	}
	if err != nil {
		return err
	}
	s.edit.at = nil
	s.edit.draft, _, err = st.Candidate()
	return err
}

// whose asks the router which router and node it is; without it every one of
// the configuration is checked.
func (s *session) whose(ctx context.Context) (router, node string) {
	ctx, cancel := context.WithTimeout(ctx, nameWithin)
	defer cancel()
	var row struct{ Router, Node string }
	_, err := ctl.AskContext(ctx, s.o.Run, ctl.Request{Show: "system"}, func(b json.RawMessage) error { return json.Unmarshal(b, &row) })
	if err != nil {
		return "", ""
	}
	return row.Router, row.Node
}

func (s *session) runValidate(ctx context.Context, in *cli.Input) error {
	finds := s.edit.draft.Check(s.whose(ctx))
	fmt.Fprint(in.Out, finds)
	if finds.Failed() {
		return errors.New("this configuration cannot run")
	}
	_, err := fmt.Fprintln(in.Out, "Configuration is valid")
	return err
}

func (s *session) runCompare(_ context.Context, in *cli.Input) error {
	st, err := s.store()
	if err != nil {
		return err
	}
	run, err := st.Running()
	if err != nil {
		return err
	}
	list := run.Compare(s.edit.draft)
	for _, c := range list {
		if _, err := fmt.Fprintf(in.Out, "%v  [%v]\n", c, c.Effect); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		_, err = fmt.Fprintln(in.Out, "There is no difference")
		return err
	}
	_, err = fmt.Fprintf(in.Out, "All together: %v\n", config.Dearest(list))
	return err
}

// confirmDefault is how many seconds a commit waits for its confirmation.
const confirmDefault = 300

func (s *session) runCommit(ctx context.Context, in *cli.Input) error {
	if err := s.runValidate(ctx, in); err != nil {
		return err
	}
	within := time.Duration(get(in, "within", confirmDefault)) * time.Second
	if in.Has("now") {
		within = 0
	}
	return s.commit(ctx, in, s.edit.draft, within)
}

// commit lets a draft run.
func (s *session) commit(ctx context.Context, in *cli.Input, d *config.Draft, within time.Duration) error {
	st, err := s.store()
	if err != nil {
		return err
	}
	if run, err := st.Running(); err == nil && run.Equal(d) {
		return errors.New("nothing to commit: this configuration runs")
	}
	if err := st.Commit(d, within, s.o.User); err != nil {
		return err
	}
	s.o.Log.Info("configuration committed", "by", s.o.User, "port", s.o.Port, "within", within)
	fmt.Fprintln(in.Out, "Configuration committed")
	if within > 0 {
		fmt.Fprintf(in.Out, "It goes back in %d s unless you say `confirm`.\n", int(within.Seconds()))
	}
	return s.reload(ctx, in)
}

// reload has the router take what is committed.
func (s *session) reload(ctx context.Context, in *cli.Input) error {
	done, err := ctl.Reload(ctx, s.o.Run)
	switch {
	case errors.Is(err, ctl.ErrNoRouter):
		text := "No router runs; the next one takes it."
		if st, err := s.store(); err == nil {
			if _, err := st.Pending(); err == nil {
				text = "No router runs: its next start undoes the commit unless you say `confirm` before."
			}
		}
		_, err = fmt.Fprintln(in.Out, text)
		return err
	case err != nil:
		return err
	case done.Why != "":
		_, err = fmt.Fprintf(in.Out, "The router takes it: %s (%s)\n", done.Class, done.Why)
		return err
	}
	_, err = fmt.Fprintf(in.Out, "The router took it: %s\n", done.Class)
	return err
}

func (s *session) runConfirm(_ context.Context, in *cli.Input) error {
	st, err := s.store()
	if err != nil {
		return err
	}
	if err := st.Confirm(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(in.Out, "The commit stays")
	return err
}

func (s *session) runRollback(ctx context.Context, in *cli.Input) error {
	st, err := s.store()
	if err != nil {
		return err
	}
	if !in.Has("version") {
		err := st.Back()
		if err == nil {
			fmt.Fprintln(in.Out, "The unconfirmed commit is undone")
			return s.after(s.reload(ctx, in))
		}
		if !errors.Is(err, life.ErrNoPending) {
			return err
		}
	}
	n, err := chosen(in, st)
	if err != nil {
		return err
	}
	d, err := st.Version(n)
	if err != nil {
		return err
	}
	if finds := d.Check(s.whose(ctx)); finds.Failed() {
		return fmt.Errorf("version %d cannot run:\n%s", n, finds)
	}
	fmt.Fprintf(in.Out, "Version %d runs again\n", n)
	return s.after(s.commit(ctx, in, d, 0))
}

// after brings the editor to what is on the disk.
func (s *session) after(err error) error {
	if err != nil || s.edit == nil {
		return err
	}
	st, err := s.store()
	if err == nil {
		s.edit.at = nil
		s.edit.draft, _, err = st.Candidate()
	}
	return err
}

// chosen is the version that was named, or the last.
func chosen(in *cli.Input, st *life.Store) (int, error) {
	if n := get(in, "version", 0); n > 0 {
		return n, nil
	}
	all, err := st.Versions()
	if err == nil && len(all) == 0 {
		err = life.ErrNoVersion
	}
	if err != nil {
		return 0, err
	}
	return all[len(all)-1].Number, nil
}

func (s *session) runShowRunning(_ context.Context, in *cli.Input) error {
	return s.showDraft(in, (*life.Store).Running)
}

func (s *session) runShowCandidate(_ context.Context, in *cli.Input) error {
	return s.showDraft(in, func(st *life.Store) (*config.Draft, error) {
		d, _, err := st.Candidate()
		return d, err
	})
}

func (s *session) runShowVersion(_ context.Context, in *cli.Input) error {
	return s.showDraft(in, func(st *life.Store) (*config.Draft, error) { return st.Version(get(in, "number", 0)) })
}

// showDraft writes a configuration as text; secrets are for admins.
func (s *session) showDraft(in *cli.Input, read func(*life.Store) (*config.Draft, error)) error {
	if in.Has("secrets") && s.o.Level < cli.Admin {
		return fmt.Errorf("%w: secrets need level %v", cli.ErrLevel, cli.Admin)
	}
	st, err := s.store()
	if err != nil {
		return err
	}
	d, err := read(st)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(in.Out, d.Text(in.Has("secrets")))
	return err
}

func (s *session) runVersions(_ context.Context, in *cli.Input) error {
	st, err := s.store()
	if err != nil {
		return err
	}
	all, err := st.Versions()
	if err != nil {
		return err
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(in.Out, "No version is kept: nothing was committed here yet")
		return err
	}
	for _, v := range all {
		if _, err := fmt.Fprintf(in.Out, "Version %d ran until %s\n", v.Number, v.Time.Format("2006-01-02 15:04:05 UTC")); err != nil {
			return err
		}
	}
	if p, err := st.Pending(); err == nil {
		_, err = fmt.Fprintf(in.Out, "What runs is not confirmed; it goes back to version %d\n", p.Version)
		return err
	}
	return nil
}
