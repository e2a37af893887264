// Package pppoe dials in to an access concentrator: the client of PPPoE (RFC
// 2516, RFC 4638) with the kernel's session below.
//
// Machine is pure: frames, link changes and a monotonic clock go in, ordered
// actions and events come out; disc and ppp are its two halves. Client is the
// thin shell around it: a packet socket for discovery, a PPPoE socket and
// /dev/ppp for the session. Data never leaves the kernel.
//
// One network interface lasts as long as the client, over any number of
// sessions, so that programs, routes and sessions that name it by its index need
// not follow a redial. It is up while a session carries packets. The session's
// address and routes are plans for whoever owns the namespace.
//
// A session that broke is dialled again at once, then ever more rarely up to
// once a minute. A refused user name or password is told and tried again after
// 1, 5, 10, 20, 40 and 60 minutes: many providers lock whoever tries oftener.
package pppoe
