package config

import "fmt"

// maxFindings bounds what a hostile file can make us say.
const maxFindings = 1000

// collector gathers findings in order.
type collector struct {
	list  Findings
	more  int             // findings beyond maxFindings
	error bool            // an error is among the findings beyond
	read  map[string]bool // paths that reading the file has refused already
}

// add appends a finding. A check across objects says nothing about a path that
// could not even be read.
func (c *collector) add(s Severity, path, value, problem, allowed string) {
	if c.read[path] {
		return
	}
	if len(c.list) >= maxFindings {
		c.more++
		c.error = c.error || s == Error
		return
	}
	c.list = append(c.list, Finding{s, path, value, problem, allowed})
}

// freeze ends the reading phase.
func (c *collector) freeze() {
	c.read = make(map[string]bool)
	for _, f := range c.list {
		if f.Severity == Error {
			c.read[f.Path] = true
		}
	}
}

// findings returns everything found.
func (c *collector) findings() Findings {
	if c.more == 0 {
		return c.list
	}
	last := Finding{Warning, "", "", fmt.Sprintf("and %d more findings", c.more), ""}
	if c.error {
		last.Severity = Error
	}
	return append(c.list, last)
}
