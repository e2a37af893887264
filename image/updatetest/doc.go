// Package updatetest updates a whole box in QEMU, from firmware to router: to a
// good version, to versions that fail in every way there is, and to bundles that
// a box must refuse. It has no code besides its tests.
package updatetest
