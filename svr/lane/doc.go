// Package lane moves packets between Linux interfaces and the session engine.
//
// This is the Go "service lane": one goroutine on one OS thread owns every
// Port (an AF_PACKET socket with a receive ring), strips and pushes Ethernet
// and 802.1Q, hands IP packets in place to a Handler, and transmits what the
// handler sends in batches, super-packets (GSO) included.
//
// Ownership of buffers. A received packet lies in kernel ring memory or in a
// spare buffer of the lane. Its bytes stay valid until the batch it came with
// was flushed, which is after the last Handler.Receive of that batch. The same
// holds for buffers from Lane.Buffer. A buffer handed to Lane.Send must not be
// touched again: the kernel copies it when the batch is flushed.
//
// With Config.Workers, goroutines of their own seal (Lane.Seal) and transmit, each
// the packets of its flows. Everything else stays with the loop; a batch's buffers
// are free when the workers are done with it.
package lane
