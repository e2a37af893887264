// Package ppp negotiates a point-to-point link as the side that dials: LCP (RFC
// 1661), PAP (RFC 1334), CHAP with MD5 (RFC 1994), IPCP (RFC 1332, DNS servers of
// RFC 1877), IPv6CP (RFC 5072).
//
// Link is pure: control frames and a monotonic clock go in, control frames and
// events come out. LCP, IPCP and IPv6CP share one automaton (RFC 1661 section 4)
// and differ in what they want of their options.
//
// Refused always: compression of any kind, multilink, authenticating the other
// side. Retransmissions begin after a second, not after three: access
// concentrators often are not ready for the first frame.
package ppp
