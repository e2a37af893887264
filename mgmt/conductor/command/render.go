package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/conductor/registry"
	"waymark/mgmt/uplink"
)

// render writes an answer for a person, or as JSON.
func render(v any, asJSON bool) ([]byte, error) {
	if text, ok := v.([]byte); ok && !asJSON {
		return text, nil
	}
	if asJSON {
		if text, ok := v.([]byte); ok {
			v = string(text)
		}
		if e, ok := v.([]registry.Event); ok && e == nil {
			v = []registry.Event{}
		}
		b, err := json.MarshalIndent(v, "", "  ")
		return append(b, '\n'), err
	}
	var b bytes.Buffer
	b.WriteString(time.Now().UTC().Format("Mon 2006-01-02 15:04:05 UTC") + "\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	head, rows := table(v)
	if head == "" {
		return []byte(said(v)), nil
	}
	fmt.Fprintln(w, strings.ReplaceAll(head, "|", "\t"))
	for _, r := range rows {
		for i, cell := range r {
			if cell == "" {
				r[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	err := w.Flush()
	if a, ok := v.(Alarms); ok {
		fmt.Fprintf(&b, "There are %d shelved alarms\n", a.Shelved)
	}
	return b.Bytes(), err
}

func said(v any) string {
	s, ok := v.(Said)
	if !ok {
		return fmt.Sprintf("%v\n", v)
	}
	text := strings.Join(s.Findings, "\n")
	if text != "" {
		text += "\n"
	}
	switch {
	case s.Asset != "":
		return text + fmt.Sprintf("Asset %s: %s\n", s.Asset, s.What)
	case s.Version != 0:
		return text + fmt.Sprintf("Configuration committed: version %d\n", s.Version)
	}
	return text + fmt.Sprintf("Configuration %s: it is the candidate (%.12s)\n", s.What, s.Digest)
}

func alarmCells(r *registry.AlarmRow) []string {
	at := ""
	if r.Time != nil {
		at = *r.Time
	}
	return []string{r.ID, at, r.Severity, r.Source, r.Category, r.Message}
}

const stamp = "2006-01-02 15:04:05"

// table returns the head and the rows of an answer; "" if it is no table.
func table(v any) (head string, rows [][]string) {
	add := func(cells ...string) { rows = append(rows, cells) }
	switch list := v.(type) {
	case []asset.Row:
		for _, r := range list {
			add(r.ID, r.Router, r.Node, r.Version, string(r.Status), r.Errors)
			for _, k := range append(r.Keys[:len(r.Keys):len(r.Keys)], r.Duplicates...) {
				if len(list) == 1 || len(r.Duplicates) > 0 {
					add("", "", "", "", string(k.Channel), k.Finger+" from "+k.From+" since "+k.First.Format(stamp))
				}
			}
		}
		return "Asset Id|Router|Node|Version|Status|Errors", rows
	case Alarms:
		for i := range list.Rows {
			add(alarmCells(&list.Rows[i])...)
		}
		return "ID|Time|Severity|Source|Category|Message", rows
	case ShelvedAlarms:
		for i := range list {
			add(append(alarmCells(&list[i]), list[i].Shelf)...)
		}
		return "ID|Time|Severity|Source|Category|Message|Reason", rows
	case []registry.Event:
		for _, e := range list {
			r := &e.Record
			add(r.Router, r.Node, r.Type, r.Time.UTC().Format(time.RFC3339), string(r.Severity), r.Source, string(r.Category), r.Message)
		}
		return "Router|Node|Event Type|Time|Severity|Source|Category|Message", rows
	case []registry.EntitlementRow:
		for _, r := range list {
			month := r.Month
			if at, err := time.Parse("2006-01", month); err == nil {
				month = at.Format("Jan 2006")
			}
			if r.Current {
				month = "*" + month
			}
			add(r.Project, month, fmt.Sprintf("%.2f Mbps", r.Mbps))
		}
		return "Project|Month|Entitlement Utilized", rows
	case []registry.DayRow:
		for _, r := range list {
			add(r.Project, r.Day, fmt.Sprintf("%.2f Mbps", r.Mbps))
		}
		return "Project|Day|Entitlement Utilized", rows
	case []registry.Address:
		for _, r := range list {
			at := ""
			if r.Address.IsValid() {
				at = r.Address.String()
			}
			add(r.Router, r.Node, r.Interface, r.Hostname, at, r.Updated.Format(stamp))
		}
		return "Router|Node|Interface|Hostname|Address|Last Update", rows
	case []VersionRow:
		for _, r := range list {
			add(fmt.Sprint(r.Number), r.Time.Format(stamp), r.By, r.Digest[:12])
		}
		return "Version|Committed At|By|Digest", rows
	case []uplink.Log:
		for _, r := range list {
			add(r.Name, fmt.Sprint(r.Size), r.Modified.UTC().Format(stamp))
		}
		return "Log|Size|Modified", rows
	}
	return "", nil
}
