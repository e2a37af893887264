// Package dnsd answers the DNS questions of a LAN's hosts by asking others: a
// forwarder with a small cache.
//
// It listens on the LAN's addresses and device only, so that it is no open
// resolver. Every question is put anew towards the resolvers (package resolve):
// what belongs to one hop, number, case and EDNS, is never passed on. Everything
// that hosts can fill is bounded: questions in flight, connections, the cache;
// equal questions in flight become one.
package dnsd
