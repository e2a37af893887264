// Package ctl is the router's control socket: the messages, the schema of every
// answer, a client, and the text form of answers. The router serves it;
// `waymark show`, the agent and the console ask.
//
// A connection carries JSON lines. The client sends one Request and reads
// Answers: any number of rows, then one with End.
package ctl
