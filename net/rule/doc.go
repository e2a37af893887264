// Package rule decides by the source address which routing table the host's own
// packets use: policy routing. Rules of ours carry rtnl.Proto; others stay.
package rule
