// Package event keeps what a router has to tell: the newest events in a ring
// and every active alarm, both bounded. An alarm is an event of type add when
// it is raised and an event of type clear when it is over.
//
// Names of categories, severities and messages are the vendor's, so that the
// habits of a NOC carry over.
//
// The package is pure: wall time is passed in, nothing is sent anywhere. A Log
// belongs to one goroutine; what it returns are copies that anybody may keep.
package event
