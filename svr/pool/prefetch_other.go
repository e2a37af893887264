//go:build !amd64 && !arm64

package pool

import "unsafe"

func prefetch(unsafe.Pointer)          {}
func prefetch3(_, _, _ unsafe.Pointer) {}
