package main

import (
	"context"
	"fmt"

	"waymark/cmd/lab/world"
)

// whichLane says what each lane of the routers forwarded so far.
func whichLane(_ context.Context, l *lab) (string, error) {
	var text string
	for _, r := range []struct {
		name   string
		router *world.Router
	}{{"branch1", l.branch}, {"hub1", l.hub}} {
		var rows []struct {
			Metric string
			Value  uint64
		}
		if err := r.router.ShowJSON(&rows, "stats"); err != nil {
			return "", err
		}
		n := map[string]uint64{}
		for _, row := range rows {
			n[row.Metric] = row.Value
		}
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("%s: kernel %d packets, service lane %d", r.name,
			n["fast/forwarded-tc"]+n["fast/forwarded-xdp"], n["packets/forwarded"])
	}
	return text, nil
}
