package event

import "regexp"

// ShelfMaintenance is the name in Record.Shelf when the router is in
// maintenance.
const ShelfMaintenance = "maintenance-mode"

// Shelf hides alarms that operators do not want to see: they are raised and
// cleared as ever, and counted apart. A zero field is not considered; a shelf
// that considers nothing hides nothing.
type Shelf struct {
	Name                  string
	Any                   bool // one field that fits is enough; else all have to
	Category              Category
	Severity              Severity
	Message, Node, Router *regexp.Regexp
}

// Holds tells whether the shelf hides an alarm.
func (s *Shelf) Holds(r *Record) bool {
	asked, fits := 0, 0
	look := func(considered, fit bool) {
		if considered {
			asked++
			if fit {
				fits++
			}
		}
	}
	matches := func(re *regexp.Regexp, text string) bool { return re != nil && re.MatchString(text) }
	look(s.Category != "", s.Category == r.Category)
	look(s.Severity != "", s.Severity == r.Severity)
	look(s.Message != nil, matches(s.Message, r.Message))
	look(s.Node != nil, matches(s.Node, r.Node))
	look(s.Router != nil, matches(s.Router, r.Router))
	return fits > 0 && (s.Any || fits == asked)
}

// Shelve judges every alarm, active ones and those to come, by these shelves.
// In maintenance all are shelved. It tells no event.
func (l *Log) Shelve(maintenance bool, shelves []Shelf) {
	l.maint, l.shelves = maintenance, shelves
	for key, a := range l.active {
		a.Shelf = l.judge(&a.Record)
		l.active[key] = a
	}
}

// judge names what hides an alarm, "" for nothing.
func (l *Log) judge(r *Record) string {
	if l.maint {
		return ShelfMaintenance
	}
	named := *r
	named.Router, named.Node = l.cfg.Router, l.cfg.Node
	for i := range l.shelves {
		if l.shelves[i].Holds(&named) {
			return l.shelves[i].Name
		}
	}
	return ""
}
