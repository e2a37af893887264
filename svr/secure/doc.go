// Package secure protects metadata and payload as wire profile 1 says: digests
// (HMAC), CBC for metadata and payload, GCM for payload, the keys derived for
// them, and the random bytes they need.
//
// Everything is pure and works in buffers of the caller. After set-up nothing
// here allocates, keys of new sessions included: hash states and cipher objects
// are made once and reused, so a Policy, GCM, IVSource or Random serves one
// goroutine at a time. Another worker takes a Clone, or a source with a seed of
// its own.
//
// SHA-256 waits for itself, so one packet leaves most of a CPU idle: VerifyPair and
// SealCBCPair take two packets side by side (SHA-NI), VerifyMany and SealCBCMany
// up to sixteen of one length (AVX-512, or AVX2 where there is no SHA-NI). They do what
// Verify and SealCBC do one by one.
//
// Where the CPU has instructions for it, AES-GCM (amd64; arm64 under Linux) and
// AES-CBC with SHA-256 (amd64) are our own assembly: faster on packets than the
// standard library, and no object for each key. Elsewhere the standard library
// does the work, and a session key of GCM is the one thing that allocates: three
// objects for each direction.
//
// Who cannot tell good from bad must not learn why: every failure of a
// decryption is ErrDecrypt, digests are compared in constant time, and padding
// is checked in constant time.
package secure
