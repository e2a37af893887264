// Package resolve looks names up for the box itself: over the WAN that is live,
// by the resolvers which that network told, one after the other.
//
// File is the contract between the process that knows the WANs and all others
// (RUN/resolv.json). Exchange asks one resolver one question and believes only
// the answer to it: a port and a number nobody can guess, the letters of the
// name in random case (0x20), the same question. Client asks resolvers in turn
// and remembers for a while which ones were silent.
//
// Messages are read and built by golang.org/x/net/dns/dnsmessage: it belongs to
// the Go project, allocates little, refuses what is malformed, and knows what
// is needed here. github.com/miekg/dns would bring a server and every type of
// record there is, which a forwarder need not understand.
package resolve
