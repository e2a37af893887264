// Package config is the data model: the vendor's configuration tree as strict
// JSON, checked and turned into plain Go values.
//
// The way of a configuration is bytes → generic tree (one schema drives it:
// types, ranges, defaults, list keys) → typed tree (Authority) → checks across
// objects. Each step goes on behind a fault, so that every fault is reported
// at once, named by its path. The schema is the only place that knows leaf
// names, so that the rest of the model and the vendor's text form join there.
//
// The typed tree is read-only for its users and safe for concurrent readers.
package config
