// Package dhcp4 gets an interface's IPv4 address from the network: the client of
// RFC 2131 with everything an access line may ask of it.
//
// Machine is pure: frames, link changes and a monotonic clock go in, frames,
// datagrams and events come out. Client is the thin shell around it: a packet
// socket that sees DHCP and ARP only, a UDP socket bound to the lease for
// renewing, a file that keeps the lease over a restart. The lease's addresses
// and routes are plans for net/addr and net/route (Addresses, Routes): whoever
// owns the namespace applies them together with all others.
//
// What is told apart from other clients: a renewal is unicast with ciaddr and
// without options 50 and 54; an address is probed before use (RFC 5227, with
// shorter pauses: users wait) and declined when somebody has it; a link that
// comes back asks for the address it had (INIT-REBOOT) and keeps it meanwhile;
// a lease is released only on demand, never at the end of a process. Option 108
// (IPv6-only preferred, RFC 8925) is not asked for, because asking promises to
// live without IPv4. FORCERENEW is ignored: it is never authenticated here.
package dhcp4
