package ctl

import (
	"context"
	"encoding/json"
)

// Ping has the router ask a host as a member of a tenant would: its echo
// requests go through tenant, service and path like any host's packets.
type Ping struct {
	Tenant      string `json:"tenant"`
	Service     string `json:"service,omitempty"` // that it has to be; empty: whatever leads there
	Destination string `json:"destination"`       // address
	Count       int    `json:"count"`             // 1 to PingCount
	Size        int    `json:"size"`              // bytes of payload, 0 to PingSize
}

// Bounds of a Ping.
const (
	PingCount = 1000
	PingSize  = 1400
)

// Pong is the fate of one request of a Ping; one row each.
type Pong struct {
	Seq     int     `json:"seq"` // from 1
	Service string  `json:"service"`
	Source  string  `json:"source"`
	From    string  `json:"from,omitempty"` // who answered; empty: nobody
	Kind    string  `json:"kind"`           // "reply", "unreachable", "exceeded", "silence"
	Code    int     `json:"code,omitempty"` // of an ICMP error
	Millis  float64 `json:"ms,omitempty"`
}

// ServicePing asks the router with run directory dir and calls each for every
// request.
func ServicePing(ctx context.Context, dir string, p Ping, each func(Pong) error) error {
	_, err := AskContext(ctx, dir, Request{Ping: &p}, func(row json.RawMessage) error {
		var r Pong
		if err := json.Unmarshal(row, &r); err != nil {
			return err
		}
		return each(r)
	})
	return err
}
