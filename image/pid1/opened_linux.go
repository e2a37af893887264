package pid1

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"waymark/svr/router/ctl"
)

// opened tells whenever the router's socket in dir takes questions: its mode is set
// when it listens. The channel holds one; whoever reads it looks.
func opened(dir string, spawn func(func())) (<-chan struct{}, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_ATTRIB); err != nil {
		events.Close()
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	news := make(chan struct{}, 1)
	spawn(func() { relayOpened(events, news) })
	return news, nil
}

// relayOpened reads events until there are none any more. Names in them end with zero.
func relayOpened(events *os.File, news chan<- struct{}) {
	b := make([]byte, 4<<10)
	for {
		n, err := events.Read(b)
		if err != nil {
			return
		}
		if !bytes.Contains(b[:n], []byte(ctl.Socket+"\x00")) {
			continue
		}
		select {
		case news <- struct{}{}:
		default:
		}
	}
}
