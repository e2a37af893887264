package config

import "slices"

// Secrets returns every secret value of a draft, each once: what must not leave
// the box with a log or a report.
func (d *Draft) Secrets() (list []string) {
	var walk func(e *entry)
	walk = func(e *entry) {
		if e.el.secret && e.text != "" && !slices.Contains(list, e.text) {
			list = append(list, e.text)
		}
		for _, k := range e.kids {
			walk(k)
		}
	}
	walk(d.top)
	return list
}
