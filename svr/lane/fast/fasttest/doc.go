// Package fasttest makes traffic for the tests and measurements of the fast
// lane: three namespaces in a row, a generator, sinks.
package fasttest
