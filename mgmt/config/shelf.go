package config

import (
	"regexp"

	"waymark/svr/event"
)

// Shelf is authority > alarm-shelving > shelf: which alarms are hidden. Empty
// fields are not considered.
type Shelf struct {
	Name        string
	MatchAny    bool   // one field that fits is enough
	Category    string // as the table of alarms shows it
	Severity    string
	Message     string // RE2 expression
	Node        string
	NodeRegex   string
	Router      string
	RouterRegex string
	AppliesTo   []AppliesTo // which routers look at it; none: all
}

// Event is the shelf as alarms are judged by it.
func (s *Shelf) Event() event.Shelf {
	return event.Shelf{Name: s.Name, Any: s.MatchAny, Category: event.Category(s.Category), Severity: event.Severity(s.Severity),
		Message: compiled(s.Message, ""), Node: compiled(s.NodeRegex, s.Node), Router: compiled(s.RouterRegex, s.Router)}
}

// compiled compiles an expression, or one for a name alone; nil for neither.
func compiled(expr, name string) *regexp.Regexp {
	if name != "" {
		expr = "^" + regexp.QuoteMeta(name) + "$"
	}
	if expr == "" {
		return nil
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil // it was checked
	}
	return re
}

// noMatch is a category or severity that is not considered.
const noMatch = "none"

// alarmCategories are those that a shelf may name, the vendor's and ours alike.
var alarmCategories = []string{noMatch, "system", "process", "interface", "network-interface", "platform", "platform-state", "peer",
	"redundancy", "giid", "asset", "service", "prefix-delegation", "bgp-neighbor", "msdp-neighbor", "extensible-alarm", "base", "node-base",
	"global-base", "platform-stat"}

func schemaShelving() *element {
	return cont("alarm-shelving", "which alarms are hidden",
		listOf("shelf", "name", "alarms that nobody wants to see",
			lf("name", name(), "", "name of the shelf, the reason that is shown"),
			lf("generated", boolean(), "false", "made by a conductor"),
			lf("match-type", enum("all", "any"), "all", "whether all fields have to fit, or one"),
			lf("category", enum(alarmCategories...), noMatch, "of the alarm"),
			lf("severity", enum(noMatch, "info", "minor", "major", "critical"), noMatch, "of the alarm"),
			lf("message-regex", regularExpression(), "", "of the message"),
			lf("node-name", name(), "", "node that tells it"),
			lf("node-name-regex", regularExpression(), "", "node that tells it"),
			lf("router-name", name(), "", "router that tells it"),
			lf("router-name-regex", regularExpression(), "", "router that tells it"),
			schemaAppliesTo("routers that look at the shelf; none: all")))
}

func schemaAppliesTo(doc string) *element {
	return listOf("applies-to", "type", doc,
		lf("type", enum("authority", "router", "router-group"), "", "how they are named"),
		ll("router-name", name(), "routers").to("router"),
		ll("group-name", name(), "router groups"))
}

// regularExpression is a regular expression of RE2, whose time is bounded by its text.
func regularExpression() valueType {
	t := text(255)
	return valueType{json: jString, allowed: "a regular expression of up to 255 characters", read: func(s string) (any, string) {
		if _, problem := t.read(s); problem != "" {
			return "", problem
		}
		if _, err := regexp.Compile(s); err != nil {
			return "", "is no regular expression"
		}
		return s, ""
	}}
}

func decodeShelf(e *entry) Shelf {
	given := func(leaf string) string {
		if s := e.str(leaf); s != noMatch {
			return s
		}
		return ""
	}
	return Shelf{
		Name: e.str("name"), MatchAny: e.str("match-type") == "any", Category: given("category"), Severity: given("severity"),
		Message: e.str("message-regex"), Node: e.str("node-name"), NodeRegex: e.str("node-name-regex"),
		Router: e.str("router-name"), RouterRegex: e.str("router-name-regex"), AppliesTo: each(e, "applies-to", decodeAppliesTo),
	}
}

func decodeAppliesTo(e *entry) AppliesTo {
	return AppliesTo{e.str("type"), values[string](e, "router-name"), values[string](e, "group-name")}
}

// AppliesToRouter tells whether the router looks at the shelf.
func (s *Shelf) AppliesToRouter(r *Router) bool { return anyApplies(s.AppliesTo, r) }

// shelf checks that a shelf hides something.
func (k *checker) shelf(e *entry) {
	s := decodeShelf(e)
	if s.Category+s.Severity+s.Message+s.Node+s.NodeRegex+s.Router+s.RouterRegex == "" {
		k.missing(e, "category", "is missing: the shelf hides nothing", "category, severity, message-regex, or a name of node or router")
	}
	for _, a := range e.all("applies-to") {
		k.appliesTo(a)
	}
}
