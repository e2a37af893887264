package peer

// Drop says what became of a datagram; None is one that was taken.
type Drop uint8

// What became of it.
const (
	None          Drop = iota
	Refresh            // one zero byte: keeps a NAT open
	DropMalformed      // no BFD of a form that we know
	DropUnknown        // of nobody that we know
	DropDigest         // not authentic
	DropMessage        // authentic, and yet not readable
	DropReflected      // our own
	DropReplay         // an old counter
	DropEpoch          // of an epoch that has not proven itself; answered
	DropBFD            // RFC 5880 refuses it
	DropHops           // a single-hop neighbour's hop limit was not 255
	Drops              // number of them
)

var dropNames = [Drops]string{"taken", "nat-refresh", "malformed", "unknown", "digest", "message",
	"replay", "epoch", "bfd", "hop-limit"}

// String names it.
func (d Drop) String() string { return dropNames[d%Drops] }
