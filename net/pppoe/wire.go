package pppoe

// heardKind says where something was heard.
type heardKind uint8

const (
	heardDiscovery heardKind = iota
	heardPPP
	heardEnd // the kernel ended the session
)

// heard is something from the line.
type heard struct {
	kind heardKind
	data []byte // the receiver's
}

// wire is how a client sees its line and the kernel's PPP. Sockets belong to the
// network namespace of the thread that calls.
type wire interface {
	// prepare makes room for packets of mru bytes on the line and returns how
	// large they may be. former is the line's MTU before an earlier process
	// raised it; 0: none did.
	prepare(mru uint16, former int) (mtu int, err error)
	// formerMTU is the line's MTU before it was raised; 0: it was not.
	formerMTU() int
	discover(frame []byte) error
	open(Channel) error
	write(frame []byte) error // protocol and control packet
	carry(Action) error
	hangup()
	received() <-chan heard
	close()
}
