package ctl

import "strings"

// Kind says how a column's value looks in JSON and in text.
type Kind uint8

// Kinds of columns. Any value may be null: unknown.
const (
	Text    Kind = iota // string
	Number              // integer
	Decimal             // number, printed with two decimals
	Bool                // true or false
	Time                // RFC 3339, UTC
	Clock               // seconds, printed "0 days  0:00:28"
	Span                // seconds, printed "12d4h31m"
	Percent             // number, printed with a percent sign
	List                // array of strings, one line each
	Object              // object, never in a text table
)

// Column is one column of a table.
type Column struct {
	Header string // as the vendor writes it
	Kind   Kind
	Detail bool   // only with detail
	Extra  bool   // JSON only: ours, beside the vendor's columns
	Empty  string // text for null; empty means "-"
	// Optional: a block leaves it out when it is null.
	Optional bool
}

// Key returns the name of the column in JSON: the header in lower case, blanks
// and brackets to dashes, none at the end.
func (c Column) Key() string {
	k := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '(', ')', '[', ']', '{', '}':
			return '-'
		}
		return r
	}, strings.ToLower(c.Header))
	return strings.Trim(k, "-")
}

// Layout says how a table is printed.
type Layout uint8

// Layouts of tables.
const (
	Rows   Layout = iota // framed table
	Blocks               // one "header: value" block per row; the first column is its title
	Pairs                // one row: "header: value" lines
)

// Table describes the answer to one request.
type Table struct {
	What    string // "tenant members"
	Columns []Column
	Layout  Layout
	Title   string // line before the table, %s stands for the node
	Count   string // line before the table with the number of rows, %d
	Tail    string // line behind the table, %d stands for End.Shelved
}

// Visible returns the columns of an answer with or without detail, as JSON has
// them.
func (t *Table) Visible(detail bool) []Column {
	list := make([]Column, 0, len(t.Columns))
	for _, c := range t.Columns {
		if !c.Detail || detail {
			list = append(list, c)
		}
	}
	return list
}
