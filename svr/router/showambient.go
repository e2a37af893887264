package router

import (
	"path/filepath"
	"slices"
	"time"

	"waymark/net/keep"
	"waymark/svr/path/ambient"
)

// AmbientFiles are the ledgers that other processes leave in the run directory,
// as ambient.Marshal writes them.
const AmbientFiles = "*.ambient.json"

// maxAmbientFiles bounds how many of them are read.
const maxAmbientFiles = 16

// channelTotal is the row of a path that adds its channels up.
const channelTotal = "total"

// vendors are the vendor's costs by default and by its LTE profile, if it has
// such a thing: for a peer's paths and for the uplink.
func vendors(rows []ambient.Row, peer bool) (byDefault, byLTE map[string]ambient.Cost, known bool) {
	if peer {
		return ambient.VendorDefault.Costs(), ambient.VendorLTE.Costs(), true
	}
	of := func(r ambient.Row) bool { return r.Channel == ambient.SSH }
	if slices.ContainsFunc(rows, of) {
		return ambient.VendorManagement(5), ambient.VendorManagement(10), true
	}
	return nil, nil, false
}

// showAmbient prints the ledger: what the box sends and hears for its own sake,
// what that should cost, and what the vendor's settings would.
func (r *Router) showAmbient(a *answer) error {
	plans := r.bfd.Plans()
	rows := append(r.ledger.Rows(int64(time.Since(r.started).Seconds())), r.foreignLedgers()...)
	ambient.Sort(rows)
	for i := 0; i < len(rows); {
		end := i
		for end < len(rows) && rows[end].Interface == rows[i].Interface && rows[end].Subject == rows[i].Subject {
			end++
		}
		if err := a.costs(rows[i:end], plans[ambient.Key{Interface: rows[i].Interface, Subject: rows[i].Subject}]); err != nil {
			return err
		}
		i = end
	}
	return nil
}

// costs prints the rows of one peer or conductor on one interface. plan is nil
// for what is no peer.
func (a *answer) costs(rows []ambient.Row, plan map[string]ambient.Cost) error {
	byDefault, byLTE, known := vendors(rows, plan != nil)
	total := ambient.Row{Key: ambient.Key{Interface: rows[0].Interface, Subject: rows[0].Subject, Channel: channelTotal}, Seconds: rows[0].Seconds}
	month, planned := 0.0, int64(ambient.Total(plan))
	for i := range rows {
		row := &rows[i]
		total.Events += row.Events
		total.Bytes += row.Bytes
		month += row.Monthly()
		var predicted, vendor, lte any
		if p, ok := plan[row.Channel]; ok {
			predicted = int64(p.Monthly())
		} else if row.Predicted > 0 {
			predicted = row.Predicted
			planned += row.Predicted
		}
		if v, ok := byDefault[row.Channel]; ok {
			vendor, lte = int64(v.Monthly()), int64(byLTE[row.Channel].Monthly())
		}
		if err := a.cost(row, row.Monthly(), predicted, vendor, lte); err != nil {
			return err
		}
	}
	if !known {
		return nil
	}
	return a.cost(&total, month, planned, int64(ambient.Total(byDefault)), int64(ambient.Total(byLTE)))
}

func (a *answer) cost(r *ambient.Row, month float64, predicted, vendor, lte any) error {
	return a.row(orNull(r.Interface), orNull(r.Subject), r.Channel, hundredths(r.Daily()), hundredths(r.PerEvent()),
		predicted, int64(month), vendor, lte, r.Events, r.Bytes, r.Seconds)
}

// foreignLedgers reads those of other processes; what cannot be read is left out.
func (r *Router) foreignLedgers() (rows []ambient.Row) {
	files, _ := filepath.Glob(filepath.Join(r.set.RunDir, AmbientFiles)) // the pattern is right
	for _, f := range files[:min(len(files), maxAmbientFiles)] {
		b, err := keep.Read(f, ambient.MaxFile)
		var list []ambient.Row
		if err == nil {
			list, err = ambient.Parse(b)
		}
		if err != nil {
			r.log.Warn("cannot read ledger", "file", f, "error", err)
			continue
		}
		rows = append(rows, list...)
	}
	return rows
}
