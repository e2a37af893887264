package event

import "time"

// Severity of an event or alarm.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical"
	Major    Severity = "major"
	Minor    Severity = "minor"
	Info     Severity = "info"
)

// Rank orders severities: 0 is critical, 3 info, 4 anything else.
func (s Severity) Rank() int {
	switch s {
	case Critical:
		return 0
	case Major:
		return 1
	case Minor:
		return 2
	case Info:
		return 3
	}
	return 4
}

// Category says what part of the system an event is about.
type Category string

// The vendor's categories.
const (
	System           Category = "system"
	Process          Category = "process"
	Interface        Category = "interface"
	NetworkInterface Category = "network-interface"
	Platform         Category = "platform"
	PlatformState    Category = "platform-state"
	Peer             Category = "peer"
	Redundancy       Category = "redundancy"
	GIID             Category = "giid"
	Asset            Category = "asset"
	Service          Category = "service"
)

// Kind is the list an event belongs to ("show events KIND").
type Kind string

// The kinds of events.
const (
	KindAlarm   Kind = "alarm"   // add or clear of an alarm
	KindAdmin   Kind = "admin"   // somebody changed something
	KindSystem  Kind = "system"  // the system changed by itself
	KindTraffic Kind = "traffic" // what sessions were told
)

// The types of events of KindAlarm. Other kinds have dotted types such as
// "admin.running_config_change".
const (
	TypeAdd   = "add"
	TypeClear = "clear"
)

// Record is one event, or one active alarm (then of type add).
type Record struct {
	ID       string    `json:"id"` // <node>.<router>:<n>, n rising by one
	Time     time.Time `json:"dateTime"`
	Router   string    `json:"router"`
	Node     string    `json:"node"`
	Process  string    `json:"process"`
	Source   string    `json:"source"`
	Category Category  `json:"category"`
	Severity Severity  `json:"severity"`
	Message  string    `json:"message"`
	Kind     Kind      `json:"kind"`
	Type     string    `json:"type"`
	// Alarm is the ID of the alarm that this event adds or clears.
	Alarm string `json:"alarm,omitempty"`
	// Shelf names what hides the alarm: a Shelf, or ShelfMaintenance.
	Shelf string `json:"shelf,omitempty"`
	// Addresses are those that an interface has after an event of
	// TypeAddressChanged, with their prefix lengths.
	Addresses []string `json:"addresses,omitempty"`
	// Seq is the n of ID, for Since.
	Seq uint64 `json:"-"`
}

// Alarm is a condition that is wrong until it is cleared. Key tells conditions
// apart: one key is active at most once.
type Alarm struct {
	Category Category
	Severity Severity
	Source   string // as the table of alarms shows it
	Message  string
	Key      string
	// EventSource is the source in the table of events, if other than Source.
	EventSource string
}

// Event is something that happened, over as soon as it is told.
type Event struct {
	Kind     Kind
	Type     string // such as "system.ntp_adjustment"
	Category Category
	Severity Severity
	Source   string
	Message  string
	// Addresses is Record.Addresses.
	Addresses []string
}
