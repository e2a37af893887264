// Package route brings the routes of the host's own traffic to what is wanted:
// default routes through gateways, mostly. Connected routes come with the
// addresses. Routes of ours carry protocol number rtnl.Proto; no other route is
// ever changed.
package route
