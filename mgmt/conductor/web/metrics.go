package web

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"waymark/mgmt/conductor/registry"
)

// metrics writes Prometheus' text format, version 0.0.4.
func (a *API) metrics(w http.ResponseWriter, r *http.Request) {
	m, err := a.figures(r.Context())
	if err != nil {
		a.Log.Error("http: metrics", "err", err)
		fail(w, faultOf(err))
		return
	}
	var b bytes.Buffer
	last := ""
	for _, name := range slices.Sorted(maps.Keys(m)) {
		family, _, _ := strings.Cut(name, "{")
		if family != last {
			kind := "gauge"
			if strings.HasSuffix(family, "_total") {
				kind = "counter"
			}
			fmt.Fprintf(&b, "# TYPE %s %s\n", family, kind)
			last = family
		}
		fmt.Fprintf(&b, "%s %g\n", name, m[name])
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // whoever asked is gone
}

// figures counts what the registry holds, and adds those of this process.
func (a *API) figures(ctx context.Context) (map[string]float64, error) {
	m := map[string]float64{}
	if a.Figures != nil {
		maps.Copy(m, a.Figures())
	}
	assets, err := a.Registry.Rows(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range assets {
		m[fmt.Sprintf("waymark_assets{status=%q}", r.Status)]++
	}
	alarms, err := a.Registry.Alarms(ctx)
	if err != nil {
		return nil, err
	}
	seen, hidden := registry.Shelved(alarms)
	for _, r := range seen {
		m[fmt.Sprintf("waymark_alarms{severity=%q}", r.Severity)]++
	}
	m["waymark_alarms_shelved"] = float64(len(hidden))
	addresses, err := a.Registry.Addresses(ctx)
	if err != nil {
		return nil, err
	}
	m["waymark_peer_addresses"] = float64(len(addresses))
	v, err := a.Registry.Running(ctx)
	m["waymark_config_version"] = float64(v.Number)
	return m, err
}
