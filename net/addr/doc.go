// Package addr brings the IP addresses of interfaces to what is wanted.
//
// Addresses we add carry origin rtnl.Proto (IFA_PROTO, Linux 5.18), so that a
// later run knows them after a kill; addresses that somebody else set are used
// as they are and never removed.
package addr
