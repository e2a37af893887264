package config

import "strings"

// Severity of a Finding.
type Severity uint8

// Severities: an error refuses the configuration, a warning does not.
const (
	Error Severity = iota
	Warning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Finding is one fault of a configuration.
type Finding struct {
	Severity Severity
	Path     string // "authority > router branch1 > node node1"
	Value    string // as written, quoted where it is a string; "" when there is none
	Problem  string
	Allowed  string // range or values, "" when there is nothing to list
}

// String returns the line that `waymark check` prints, without newline:
// "error: PATH: VALUE: problem; allowed: …".
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.Severity.String())
	for _, s := range []string{f.Path, f.Value} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	b.WriteString(": " + f.Problem)
	if f.Allowed != "" {
		b.WriteString("; allowed: " + f.Allowed)
	}
	return b.String()
}

// Findings is every fault found, in the order of the file.
type Findings []Finding

// Failed tells whether an error is among the findings.
func (fs Findings) Failed() bool {
	for _, f := range fs {
		if f.Severity == Error {
			return true
		}
	}
	return false
}

// String returns one line per finding, each ended by a newline.
func (fs Findings) String() string {
	var b strings.Builder
	for _, f := range fs {
		b.WriteString(f.String())
		b.WriteByte('\n')
	}
	return b.String()
}
