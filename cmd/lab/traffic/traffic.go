// Package traffic is what the hosts of a world say to each other: a small web
// server, a sink that hashes, a UDP responder, and their clients. They are
// subcommands of the program that uses the package, so a world needs no server
// software: the program runs itself again inside a namespace.
package traffic

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"waymark/cmd/lab/emulate"
)

// subcommands by the name that is the first argument. Each prints one JSON
// object on standard output when it is done.
var subcommands = map[string]func(args []string) (any, error){
	"_serve":  serve,
	"_get":    get,
	"_put":    put,
	"_puts":   puts,
	"_ask":    ask,
	"_stream": stream,
	"_talk":   talk,

	emulate.Command: func(args []string) (any, error) { return nil, emulate.Run(args) },
}

// Main runs the subcommand that args begin with and returns its exit code; ok is
// false if they name none. A program calls it first thing, a test in TestMain.
func Main(args []string) (code int, ok bool) {
	if len(args) == 0 {
		return 0, false
	}
	run, ok := subcommands[args[0]]
	if !ok {
		return 0, false
	}
	result, err := run(args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", args[0], err)
		return 1, true
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", args[0], err)
		return 1, true
	}
	return 0, true
}

// Page is what a GET brought.
type Page struct {
	Status  int     `json:"status"`
	Body    string  `json:"body"`
	Seconds float64 `json:"seconds"`
}

// Transfer is what a PUT into the sink did; the sums are SHA-256 in hex.
type Transfer struct {
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	Sent    string  `json:"sent"`
	Arrived string  `json:"arrived"`
}

// Gbps is the rate in Gbit/s of payload.
func (t Transfer) Gbps() float64 { return float64(t.Bytes) * 8 / t.Seconds / 1e9 }

// Answers is what UDP questions brought.
type Answers struct {
	Asked    int     `json:"asked"`
	Answered int     `json:"answered"`
	MedianMs float64 `json:"median-ms"`
}

// clientLimit bounds connects and single answers.
const clientLimit = 15 * time.Second
