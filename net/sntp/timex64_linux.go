//go:build !(386 || arm || mips || mipsle)

package sntp

import "golang.org/x/sys/unix"

func setOffset(t *unix.Timex, v int64) { t.Offset = v }
