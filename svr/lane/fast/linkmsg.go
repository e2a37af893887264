package fast

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"waymark/net/rtnl"
)

// linkMsg is struct ifinfomsg for an interface.
func linkMsg(index int) []byte {
	h := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(h[4:], uint32(index))
	return h
}

// putFlags sets interface flags in a struct ifinfomsg.
func putFlags(h []byte, flags uint32) {
	binary.NativeEndian.PutUint32(h[8:], flags)
	binary.NativeEndian.PutUint32(h[12:], flags)
}

// txDropped reads the dropped packets of a link message: the eighth counter of
// struct rtnl_link_stats64.
func txDropped(b []byte) (n uint64) {
	rtnl.Attrs(b, unix.SizeofIfInfomsg, func(typ uint16, data []byte) {
		if typ == unix.IFLA_STATS64 && len(data) >= 64 {
			n = binary.NativeEndian.Uint64(data[56:])
		}
	})
	return n
}

func withConn(fn func(*rtnl.Conn) error) error {
	c, err := rtnl.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	return fn(c)
}
