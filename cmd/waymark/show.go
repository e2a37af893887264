package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"waymark/mgmt/console"
	"waymark/svr/router/ctl"
)

func runShow(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("show", "show WHAT [detail] [-run DIR] [-json]\n  WHAT: "+strings.Join(ctl.Names(), ", "), stderr)
	run := f.String("run", defaultRun, "run `DIR`ectory of the router")
	asJSON := f.Bool("json", false, "print an array of objects")
	words, err := parse(f, args)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return complain(f, "show what?")
	}
	req := ctl.Request{Show: strings.Join(words, " ")}
	if n := len(words) - 1; n > 0 && words[n] == "detail" {
		req = ctl.Request{Show: strings.Join(words[:n], " "), Detail: true}
	}
	table, err := ctl.Find(req.Show)
	if err != nil {
		return err
	}
	if *asJSON {
		return showJSON(ctx, stdout, *run, req)
	}
	return showText(ctx, stdout, *run, req, table)
}

func showText(ctx context.Context, stdout io.Writer, run string, req ctl.Request, table *ctl.Table) error {
	p := ctl.Printer{Table: table, Detail: req.Detail}
	began := time.Now()
	end, err := console.Ask(ctx, run, req, p.Add)
	if err != nil {
		return err
	}
	return p.Flush(stdout, end, began)
}

// showJSON prints rows as they come, one per line.
func showJSON(ctx context.Context, stdout io.Writer, run string, req ctl.Request) error {
	w := bufio.NewWriter(stdout)
	before := "[\n"
	_, err := console.Ask(ctx, run, req, func(row json.RawMessage) error {
		_, err := fmt.Fprintf(w, "%s%s", before, row)
		before = ",\n"
		return err
	})
	if err != nil {
		return err // what came so far stays unprinted or cut: no array, no answer
	}
	if before == "[\n" {
		fmt.Fprint(w, "[]\n")
	} else {
		fmt.Fprint(w, "\n]\n")
	}
	return w.Flush()
}
