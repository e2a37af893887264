// Package rtnl is the part of rtnetlink that every kernel object needs: a
// connection, requests, dumps, and a watcher of changes. The message bodies
// (struct ifinfomsg, ifaddrmsg, rtmsg, ndmsg) are in the packages of their
// objects.
//
// A connection belongs to the network namespace of the OS thread that dialled.
package rtnl
