package router

import (
	"os"
	"runtime/debug"
)

// pid of this process.
var pid = os.Getpid()

// Version is set by the linker; builds without it tell what Go knows.
var Version string

func version() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
