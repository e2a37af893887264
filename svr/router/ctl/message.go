package ctl

import "encoding/json"

// Socket is the name of the control socket in the run directory.
const Socket = "router.sock"

// MaxRequest bounds the line of a request in bytes.
const MaxRequest = 4096

// Request is the one line that a client sends.
type Request struct {
	Show   string `json:"show"`             // name of a Table
	Detail bool   `json:"detail,omitempty"` // with the columns that only detail has

	// Reload instead of Show: read the configuration again and take it. One row
	// answers, a Reloaded.
	Reload bool `json:"reload,omitempty"`

	// Ping instead of Show: one row for each request, a Pong.
	Ping *Ping `json:"ping,omitempty"`
	// Book instead of Show: addresses of peers. One row answers, empty or with
	// an error.
	Book *Book `json:"book,omitempty"`
}

// Reloaded tells how a router took a new configuration.
type Reloaded struct {
	Class string `json:"class,omitempty"` // "free", "re-address", "restart": the router begins anew now
	Why   string `json:"why,omitempty"`   // what wants a restart
	Error string `json:"error,omitempty"` // refused: nothing changed
}

// Answer is one line from the router: a row, or the end.
type Answer struct {
	// Row is an object with the table's keys in the order of its columns.
	Row json.RawMessage `json:"row,omitempty"`
	// End closes the answer.
	End *End `json:"end,omitempty"`
}

// End tells how the request went.
type End struct {
	Error string `json:"error,omitempty"`
	Node  string `json:"node,omitempty"` // name of the node that answered
	Rows  int    `json:"rows"`           // how many rows there were
	// Shelved counts the alarms that an answer about alarms leaves out.
	Shelved int `json:"shelved,omitempty"`
}
