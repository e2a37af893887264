// Package capture looks at the frames of a Linux interface: a filter of a few
// words, one line for each frame, and files as libpcap writes them, all bounded.
// Filter, lines and files are pure; Run is the packet socket.
package capture
