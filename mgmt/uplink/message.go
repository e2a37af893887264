package uplink

import (
	"net/netip"
	"time"

	"waymark/svr/event"
)

// Kind says what a frame holds.
type Kind uint8

// The kinds of frames. Numbers are never used again.
const (
	KindHello       Kind = 1  // box → conductor, first frame of Control
	KindWelcome     Kind = 2  // conductor → box: the answer, and again at every change of State
	KindDone        Kind = 3  // answer to a request: it is done and kept
	KindRefused     Kind = 4  // answer to a request: it is not, and why
	KindConfig      Kind = 5  // conductor → box: a configuration; answered with KindConfigState
	KindConfigState Kind = 6  // box → conductor: what became of it, and at every change
	KindBook        Kind = 7  // conductor → box: addresses of peers
	KindPosition    Kind = 8  // conductor → box, first frame of Reports: what it has
	KindEvents      Kind = 9  // box → conductor
	KindAddresses   Kind = 10 // box → conductor: dynamic-peer-update
	KindEntitlement Kind = 11 // box → conductor
	KindLogRequest  Kind = 12 // conductor → box, first frame of Logs
	KindLogList     Kind = 13 // box → conductor
	KindLogHeader   Kind = 14 // box → conductor; the file's bytes follow
)

// State is what a conductor thinks of a box.
type State string

// The states. All but StateAccepted end with Retry.
const (
	StateAccepted  State = "accepted"
	StatePending   State = "pending"   // an operator has to accept it; the connection stays open
	StateRejected  State = "rejected"  // an operator refused it
	StateDuplicate State = "duplicate" // another key has this asset id
	StateBusy      State = "busy"      // no room now
)

// Hello is the greeting of a box. The asset id and the key are not in it: SSH
// has proven the key, and its user is the asset id.
type Hello struct {
	Version int `json:"version"` // highest that the box speaks
	// Probe asks for nothing but Welcome: the box finds out whether it gets
	// through with a configuration that it has not confirmed.
	Probe bool `json:"probe,omitempty"`
	// Keepalive is the longest silence of the box in seconds. The conductor
	// gives it up after three.
	Keepalive int   `json:"keepalive"`
	Facts     Facts `json:"facts"`
}

// Facts are what a box says of itself. Nothing of it is proven.
type Facts struct {
	Software string `json:"software"`           // version of the image or program
	Board    string `json:"board,omitempty"`    // "qemu-x86_64"
	Router   string `json:"router,omitempty"`   // name it is configured with; empty: unconfigured
	Node     string `json:"node,omitempty"`     //
	Boot     string `json:"boot,omitempty"`     // id of this boot
	Serial   string `json:"serial,omitempty"`   // of the machine
	SaltKey  string `json:"salt-key,omitempty"` // SHA-256 fingerprint of the minion's key, as salt-key -F shows it
	Metered  bool   `json:"metered,omitempty"`  // the WAN of this connection costs by the byte
	Config   string `json:"config,omitempty"`   // Digest of the configuration that runs
}

// Welcome answers Hello.
type Welcome struct {
	Version int    `json:"version"` // that both speak from now on
	State   State  `json:"state"`
	Reason  string `json:"reason,omitempty"` // for a log
	// Retry is when the box may come again, in seconds, if the conductor
	// closes the connection. 0 leaves it to the box.
	Retry     int       `json:"retry,omitempty"`
	Conductor string    `json:"conductor,omitempty"` // name of this conductor
	Time      time.Time `json:"time"`                // of its clock
}

// Done answers a request that was done.
type Done struct{}

// Refused answers a request that was not. A box keeps what it reported and
// tries again later, unless Final: then it drops it and goes on.
type Refused struct {
	Reason string `json:"reason"`
	Final  bool   `json:"final,omitempty"`
}

// Config is a configuration for a box.
type Config struct {
	Router string `json:"router"`         // which router of it the box is
	Node   string `json:"node,omitempty"` // empty: the only one
	// Packed is the authority file (JSON, {"authority": …}), compressed by
	// Pack. Its Digest names this configuration from now on.
	Packed []byte `json:"packed"`
	// Confirm is how long the box may take to get through to a conductor with
	// it, in seconds, before it goes back; 0 is 60.
	Confirm int `json:"confirm,omitempty"`
	// Replace overwrites what was edited on the box. Without it such a box
	// refuses with ConfigOutOfSync.
	Replace bool `json:"replace,omitempty"`
}

// ConfigStatus is how a box and its configuration stand.
type ConfigStatus string

// The states of a configuration on a box.
const (
	ConfigNone       ConfigStatus = "none"        // the box has no configuration
	ConfigApplying   ConfigStatus = "applying"    // committed, not confirmed yet
	ConfigInSync     ConfigStatus = "in-sync"     // what the conductor sent last runs, confirmed
	ConfigOutOfSync  ConfigStatus = "out-of-sync" // what runs is not what the conductor sent last
	ConfigInvalid    ConfigStatus = "invalid"     // the last one has errors, nothing was changed
	ConfigRolledBack ConfigStatus = "rolled-back" // the last one cut the box off, the one before runs again
)

// ConfigState tells it.
type ConfigState struct {
	Status  ConfigStatus `json:"status"`
	Running string       `json:"running,omitempty"` // Digest of what runs
	Sent    string       `json:"sent,omitempty"`    // Digest of what a conductor sent last
	Router  string       `json:"router,omitempty"`
	Node    string       `json:"node,omitempty"`
	Error   string       `json:"error,omitempty"`
}

// Book tells a router where its peers' dynamic addresses are.
type Book struct {
	Full     bool        `json:"full"`     // it is the whole book; otherwise a change to it
	Revision uint64      `json:"revision"` // the conductor's, for people
	Entries  []BookEntry `json:"entries"`
}

// BookEntry is where a network-interface is reached. Adjacencies find it by
// Hostname if they have one, else by router, node and interface.
type BookEntry struct {
	Router    string     `json:"router"`
	Node      string     `json:"node"`
	Interface string     `json:"interface"`          // network-interface
	Hostname  string     `json:"hostname,omitempty"` // of it
	Address   netip.Addr `json:"address"`            // invalid: it has none now
}

// Position is how far a conductor has the events of a box.
type Position struct {
	Epoch string `json:"epoch"` // "": it has none
	Seq   uint64 `json:"seq"`
}

// Events is a batch of events in the order of Seq. Epoch and Seq name an event
// for ever: the same pair is the same event, however often and through however
// many conductors it comes. A box whose queue is lost starts a new epoch.
type Events struct {
	Epoch string `json:"epoch"` // 32 hex digits
	// Lost counts events just before the first that the box had to drop: its
	// queue was full, or nobody read them in time.
	Lost   uint64  `json:"lost,omitempty"`
	Events []Event `json:"events"`
}

// Event is one event. The id in its record is unique during one boot only.
type Event struct {
	Seq uint64 `json:"seq"` // rising by one within an epoch, from 1; gaps only where Lost says so
	// Alarm is the Seq of the event that added the alarm which this one adds or
	// clears; 0 for other kinds.
	Alarm  uint64       `json:"alarm,omitempty"`
	Record event.Record `json:"record"`
}

// Addresses is a dynamic-peer-update: the addresses that networks gave to this
// box.
type Addresses struct {
	Full      bool      `json:"full"` // all there are; otherwise those that changed
	Addresses []Address `json:"addresses"`
}

// Address is the address of one network-interface.
type Address struct {
	Router    string     `json:"router"`
	Node      string     `json:"node"`
	Interface string     `json:"interface"`
	Hostname  string     `json:"hostname,omitempty"`
	Address   netip.Addr `json:"address"` // invalid: it lost the one it had
	Since     time.Time  `json:"since"`   // of the box's clock
}

// Entitlement are samples of what a router forwarded.
type Entitlement struct {
	Router string `json:"router"`
	// Samples are those with traffic; times without one had none.
	Samples []Sample `json:"samples"`
}

// Sample is the peak within one interval. The same Start again replaces it.
type Sample struct {
	Start   time.Time `json:"start"`
	Seconds int       `json:"seconds"` // 300
	Peak    uint64    `json:"peak"`    // bits in a second, both directions, highest of 5 s means
}

// Shell is what a conductor says about a session of a shell channel.
type Shell struct {
	User   string `json:"user"`  // for prompt and log
	Level  string `json:"level"` // operator or admin
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
}

// Size is the new size of a terminal in characters.
type Size struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

// LogRequest asks for the list of logs, or with Name for one of them from
// Offset on.
type LogRequest struct {
	Name   string `json:"name,omitempty"`
	Offset int64  `json:"offset,omitempty"`
	Limit  int64  `json:"limit,omitempty"` // bytes; 0: to the end
}

// LogList is what there is. Nothing else can be fetched.
type LogList struct {
	Logs []Log `json:"logs"`
}

// Log is one file.
type Log struct {
	Name     string    `json:"name"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

// LogHeader comes before the bytes of a log.
type LogHeader struct {
	Log
	Offset int64 `json:"offset"`
	Length int64 `json:"length"` // of what follows
}

// Salt says which port of the Salt master a stream is for: 4505 or 4506.
type Salt struct {
	Port int `json:"port"`
}
