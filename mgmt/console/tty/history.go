package tty

import (
	"fmt"
	"io"
	"slices"
)

// historyMax bounds the lines that are kept.
const historyMax = 200

// history keeps lines, newest last, no blank ones and none twice in a row. It
// implements term.History.
type history struct{ list []string }

// Add implements term.History.
func (h *history) Add(line string) {
	if line == "" || len(h.list) > 0 && h.list[len(h.list)-1] == line {
		return
	}
	if len(h.list) == historyMax {
		h.list = h.list[1:]
	}
	h.list = append(h.list, line)
}

// Len implements term.History.
func (h *history) Len() int { return len(h.list) }

// At implements term.History: 0 is the newest.
func (h *history) At(i int) string { return h.list[len(h.list)-1-i] }

func (h *history) lines() []string { return slices.Clone(h.list) }

// notef writes a line; what a terminal does not take its next use reports.
func notef(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
