//go:build amd64 || arm64

package pool

import "unsafe"

// prefetch asks for a cache line. Any address may be given.
//
//go:noescape
func prefetch(a unsafe.Pointer)

// prefetch3 asks for three.
//
//go:noescape
func prefetch3(a, b, c unsafe.Pointer)
