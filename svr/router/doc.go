// Package router wires the engine to a configuration and the network: it
// assembles pools and keys, sets addresses and guards in the kernel, runs the
// lane and answers `waymark show`.
package router
