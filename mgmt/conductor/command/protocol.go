// Package command is the conductor's command line: `conductor -data DIR
// COMMAND…` speaks over a socket to the process that serves DIR.
//
// The client sends one Request as a line of JSON, and while it is connected to
// a box, Input lines. The server sends Output lines; the last one has Done.
package command

import "encoding/json"

// Socket is the socket's name in the data directory.
const Socket = "conductor.sock"

// Request is a command.
type Request struct {
	Words []string `json:"words"`
	JSON  bool     `json:"json"`
	File  []byte   `json:"file,omitempty"` // what config load loads
	User  string   `json:"user,omitempty"` // for the history
	// Size of the terminal, for connect.
	Width  int `json:"width,omitempty"`
	Height int `json:"height,omitempty"`
}

// Input is what is typed at a box, or the new size of the terminal.
type Input struct {
	Data   []byte `json:"data,omitempty"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
}

// Output is what to print, then how it ended.
type Output struct {
	Data  []byte `json:"data,omitempty"`
	Done  bool   `json:"done,omitempty"`
	Error string `json:"error,omitempty"`
	Usage bool   `json:"usage,omitempty"` // the command was wrong, not the world
	Raw   bool   `json:"raw,omitempty"`   // from now on the terminal is the box's
}

// maxLine bounds a line of JSON: a file of 32 MiB in base64, and more.
const maxLine = 48 << 20

func line(v any) []byte {
	b, _ := json.Marshal(v) // types of this package always encode
	return append(b, '\n')
}
