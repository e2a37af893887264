// Package bundle is the form in which a box gets new software (WMB1):
//
//	"WMB1"
//	length of the manifest, u32 big-endian
//	manifest, JSON
//	ed25519 signature over all bytes before it, 64 bytes
//	the files, in the order of the manifest, nothing after the last one
//
// The manifest names size and SHA-256 of each file, so the signature covers them
// too. A reader needs no memory for the files: it hands each one out as a
// stream and tells at its end whether it was the one that was signed.
package bundle
