package bfd

// Drop says why a packet changed nothing; DropNone is one that was taken.
type Drop uint8

// The reasons.
const (
	DropNone          Drop = iota
	DropMalformed          // no BFD packet of RFC 5880
	DropDiscriminator      // not of this session
	DropPollFinal          // both bits set
	DropAuthType           // authentication missing, not wanted or of another type
	DropAuthKey            // a key id that is not ours
	DropAuthDigest         // wrong digest
	DropAuthSequence       // outside the window: replayed
	Drops                  // number of reasons
)

var dropNames = [...]string{"none", "malformed", "discriminator", "poll-final", "auth-type", "auth-key", "auth-digest", "auth-sequence"}

// String names the reason.
func (d Drop) String() string {
	if int(d) < len(dropNames) {
		return dropNames[d]
	}
	return "unknown"
}
