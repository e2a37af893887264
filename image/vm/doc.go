// Package vm runs a kernel, or a disk with its firmware, in QEMU: for tests that
// need a whole machine, and for `make boot`.
//
// The processor is always emulated (TCG), so that it works wherever QEMU does and
// does the same everywhere; a boot takes seconds of a loaded machine, and every
// wait is for an event with the context's deadline as its end.
//
// A machine has two serial ports. On the console talk the kernel, init and
// whoever logs in. On the report port the firmware says by JSON lines what it
// reached (kernel argument waymark.report, set here), so that success is a word
// that was said and silence is a failure.
//
// QEMU ends with its context, with Close and with the process that started it.
package vm
