// Package sysctl sets kernel parameters of the current network namespace,
// remembers what they were, and puts them back, also after a kill: the previous
// values are in a state file before the first one is changed.
//
// /proc/sys/net shows the namespace of the OS thread that reads it.
package sysctl
