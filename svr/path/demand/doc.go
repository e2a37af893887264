// Package demand decides when silence on a path is worth a question. On a link
// whose bytes cost money BFD runs in demand mode (RFC 5880 6.6): nothing is sent
// while something else proves that the path lives. A Watch is told what was sent
// and heard, and tells when to poll, when the path counts as dead, and when it
// lives again. It is pure and allocates nothing; times are nanoseconds.
package demand
