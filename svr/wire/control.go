package wire

import "strconv"

// Control is the value of TLV 24: why a router made this packet. The receiver
// acts on it and drops it.
type Control uint8

// The control messages. 4, 5 and 7 have no name anywhere.
const (
	ControlUnknown   Control = 0
	ControlKeepAlive Control = 1 // refreshes a NAT, nothing else
	ControlEnable    Control = 2 // flow unknown here: send metadata again
	ControlDisable   Control = 3 // stop sending forward metadata
	ControlDelete    Control = 6 // the session is over
	ControlHealth    Control = 8 // answer to a health check: state exists
)

// String names the message as counters do.
func (c Control) String() string {
	switch c {
	case ControlUnknown:
		return "unknown"
	case ControlKeepAlive:
		return "keep-alive"
	case ControlEnable:
		return "enable-metadata"
	case ControlDisable:
		return "disable-metadata"
	case ControlDelete:
		return "delete-session"
	case ControlHealth:
		return "health-answer"
	}
	return "control-" + strconv.Itoa(int(c))
}

// HealthCheck is the one-byte form of TLV 46.
type HealthCheck uint8

// The health-check values.
const (
	HealthRequest HealthCheck = 1
	HealthTimeout HealthCheck = 2 // request after a timeout
)

// String names the value for logs.
func (c HealthCheck) String() string {
	switch c {
	case HealthRequest:
		return "request"
	case HealthTimeout:
		return "request-timeout"
	}
	return "health-check-" + strconv.Itoa(int(c))
}
