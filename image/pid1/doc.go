// Package pid1 is init: the first process of a box. It carries out the boot table
// (image/boot), closes the box (net/deny), names the ports (board), keeps the
// services alive (image/supervise) and feeds the watchdog while all that must make
// progress does (image/pulse). Those decide; this package acts.
//
// One goroutine, the loop, owns all state; everything else sends it functions
// (Init.post). Nothing the loop calls waits for a terminal, a disk that may hang
// or another process: log lines go to the kernel's ring, console and report port
// are written by goroutines that drop what they cannot say.
//
// Init never returns. What it cannot mend ends in die: words on the console and
// on the data partition, a countdown, a reboot. What ends even that (a fault of
// the runtime) kills process 1, and the kernel's panic starts the box again.
//
// With the kernel arguments waymark.report=PORT and waymark.drill the report port
// also takes orders, one JSON object per line (type order): tests of the whole box
// kill, stop and ask with them. Without the argument the port is never read.
package pid1
