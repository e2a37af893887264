// Package cli is the engine of a command line as routers have it: a tree of
// commands with arguments, abbreviations, completion, help for a question mark
// and near misses. It is pure: text in, a command or a list of words out. What
// commands do, and on which terminal, is package console's.
package cli
