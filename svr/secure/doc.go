// Package secure protects metadata and payload as wire profile 1 says: digests
// (HMAC), CBC for metadata and payload, GCM for payload, the keys derived for
// them, and the random bytes they need.
//
// Everything is pure and works in buffers of the caller. After set-up nothing
// here allocates: hash states and cipher objects are made once and reused, so
// a Policy, GCM, IVSource or Random serves one goroutine at a time. Another
// worker takes a Clone, or a source with a seed of its own.
//
// Who cannot tell good from bad must not learn why: every failure of a
// decryption is ErrDecrypt, digests are compared in constant time, and padding
// is checked in constant time.
package secure
