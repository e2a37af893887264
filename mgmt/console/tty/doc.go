// Package tty makes a command line of any stream: a serial port, a terminal, a
// channel of SSH. Line editing is golang.org/x/term's.
//
// A terminal that takes nothing blocks nobody but its own session: output
// waits in a bounded queue that a goroutine of its own writes. A command that
// fills the queue waits, and when the stream has taken nothing for Stall the
// session ends (ErrStalled). A notice from elsewhere never waits: it is
// dropped when there is no room, and counted. Input is bounded too; what is
// typed beyond is dropped, but an interrupt is always seen.
package tty
