// Package console is the command line of a box, the same on a serial port, a
// terminal, a channel of SSH.
//
//   - Serve is a console on a stream: init calls it for each serial port, with
//     a Gate; `waymark console` calls it for the terminal it was started on.
//   - Execute runs one command and returns.
//
// The engine is package cli's, the terminal package tty's, the door package
// login's. What the router knows comes over its control socket, what init knows
// and does over package box. Nothing here runs programs.
package console
