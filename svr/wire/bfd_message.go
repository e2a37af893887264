package wire

import (
	"math/bits"
	"net/netip"
	"strconv"
)

// Field is a field number of the BFD message, TLV 0x8002.
type Field uint8

// The fields of the message.
const (
	FieldRouter   Field = 1  // string: name of the sending router
	FieldNode     Field = 2  // string: its node
	FieldPath     Field = 3  // string: its name for the path
	FieldEpoch    Field = 4  // fixed64: random, new at each start
	FieldCounter  Field = 5  // varint: rises with every packet of the epoch
	FieldAddress  Field = 6  // bytes: where the sender sees the receiver
	FieldSent     Field = 7  // varint: sender's clock, µs
	FieldEcho     Field = 8  // message: the receiver's newest packet
	FieldHeld     Field = 9  // varint: µs since that packet came
	FieldUnix     Field = 10 // varint: wall clock, ms
	FieldKey      Field = 11 // bytes: key exchange
	FieldRequest  Field = 12 // bytes: session request
	FieldSoftware Field = 13 // string: software version
)

var fieldNames = [...]string{
	FieldRouter: "router", FieldNode: "node", FieldPath: "path", FieldEpoch: "epoch",
	FieldCounter: "counter", FieldAddress: "your-address", FieldSent: "sent",
	FieldEcho: "echo", FieldHeld: "held", FieldUnix: "unix", FieldKey: "key-exchange",
	FieldRequest: "session-request", FieldSoftware: "software",
}

// String names the field.
func (f Field) String() string {
	if f >= FieldRouter && f <= FieldSoftware {
		return fieldNames[f]
	}
	return "field-" + strconv.Itoa(int(f))
}

// Fields is a set of fields.
type Fields uint16

// Has reports whether f is in the set.
func (s Fields) Has(f Field) bool { return s>>f&1 != 0 }

// Add puts fields into the set.
func (s *Fields) Add(fields ...Field) {
	for _, f := range fields {
		*s |= 1 << f & allFields
	}
}

// Len returns how many fields are in the set.
func (s Fields) Len() int { return bits.OnesCount16(uint16(s)) }

const allFields Fields = 1<<(FieldSoftware+1) - 1<<FieldRouter

// Bounds of the fields that are bytes, beside MaxName and MaxPathway. A longer
// one is refused by ParseMessage and left out by AppendMessage.
const (
	MaxExchange = 2560 // FieldKey
	MaxRequest  = 512  // FieldRequest
)

// MaxMessageLen bounds what AppendMessage writes.
const MaxMessageLen = 3*(3+MaxName) + (3 + MaxPathway) + (3 + MaxExchange) +
	(3 + MaxRequest) + (2 + 19) + (2 + 9 + 11 + 11) + 9 + 4*11

const _ = uint(MaxMessage - MaxMessageLen)

// Epoch is 64 random bits, new at each start of a router, as they lie on the
// wire.
type Epoch [8]byte

// Echo names the newest packet of the receiver that the sender holds.
type Echo struct {
	Epoch   Epoch  // 1, fixed64
	Counter uint64 // 2, varint
	Sent    uint64 // 3, varint: the receiver's own µs
}

// Message is the BFD message of TLV 0x8002. Has says which fields count;
// byte slices alias the input of ParseMessage.
type Message struct {
	Has Fields

	Router, Node, Path []byte
	Epoch              Epoch
	Counter            uint64
	Address            netip.AddrPort
	Sent               uint64 // µs
	Echo               Echo
	Held               uint64 // µs
	Unix               uint64 // ms since 1970, UTC
	Key                []byte
	Request            []byte
	Software           []byte
}
