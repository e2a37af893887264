// Package link reads and changes Linux interfaces over rtnetlink: list, look
// up, carrier and operational state, MTU, MAC, up and down, changes.
package link
