package session

// Counter numbers what the engine counts.
type Counter int

// The counters, in the order of Names. Each is a number of packets unless its
// name says otherwise.
const (
	Forwarded Counter = iota
	ForHost
	WaitsForPath
	SessionsOpened
	SessionsAccepted
	SessionsRecovered
	SessionsMoved
	SessionsSteered
	SessionRefusedFull
	SessionGaveWay
	SessionRefused
	SessionTimeout
	HandshakeTimeout
	MetadataAdded
	MetadataRemoved
	FalsePositiveAdded
	FalsePositiveRemoved
	SentKeepAlive
	SentDisable
	SentEnable
	SentDelete
	SentChallenge
	ReceivedKeepAlive
	ReceivedDisable
	ReceivedEnable
	ReceivedDelete
	ReceivedHealth
	ReceivedChallenge
	SentICMP
	TranslatedICMP
	SentReset
	FabricFragmentsSent
	FabricFragmentsReceived
	FabricJoined
	HostJoined
	DropMalformed
	DropProtocol
	DropDeny
	DropNoRoute
	DropNoPath
	DropTTL
	DropTooBig
	DropChecksum
	DropNoRoom
	DropBuffer
	DropHop
	DropState
	DropMetadata
	DropDirection
	DropDigestBad
	DropDigestLate
	DropDigestMissing
	DropDecrypt
	DropReplay
	DropSecurityID
	DropOwnRouter
	DropUnknownPeer
	DropUnknownTenant
	DropUnknownService
	DropSecurityMismatch
	DropUnbound
	DropControl
	DropStranger
	DropRateLimit
	DropICMP
	DropFragment
	DropWayports
	DropNAT
	DropRecovering
	DropNoMetadata
	counters
)

// names are what `show stats` prints, in the vendor's style.
var names = [counters]string{
	"packets/forwarded", "packets/for-host", "packets/waiting-for-path",
	"sessions/opened", "sessions/accepted", "sessions/recovered", "sessions/moved", "sessions/steered",
	"sessions/refused-full", "sessions/gave-way", "sessions/refused", "sessions/timeout",
	"sessions/handshake-timeout",
	"metadata/added", "metadata/removed",
	"metadata/add-false-positive-correction", "metadata/remove-false-positive-correction",
	"metadata/sent-keep-alive", "metadata/sent-disable-forward-metadata",
	"metadata/sent-enable-metadata", "metadata/sent-delete", "metadata/sent-challenge",
	"metadata/received-keep-alive", "metadata/received-disable-forward-metadata",
	"metadata/received-enable-metadata", "metadata/received-delete",
	"metadata/received-session-health-check", "metadata/received-challenge",
	"icmp/sent", "icmp/translated", "tcp/sent-reset",
	"fragments/fabric-sent", "fragments/fabric-received", "fragments/fabric-joined",
	"fragments/host-joined",
	"drop/malformed", "drop/protocol", "drop/denied", "drop/no-route", "drop/no-path",
	"drop/ttl-expired", "drop/too-big", "drop/checksum", "drop/no-room", "drop/no-buffer",
	"drop/no-next-hop", "drop/tcp-state", "drop/metadata-malformed", "drop/metadata-direction",
	"drop/digest-bad", "drop/digest-late", "drop/digest-missing", "drop/decrypt", "drop/replay",
	"drop/security-id", "drop/own-router", "drop/unknown-peer", "drop/unknown-tenant",
	"drop/unknown-service", "drop/security-mismatch", "drop/unbound", "drop/control",
	"drop/stranger", "drop/rate-limit", "drop/icmp", "drop/fragment", "drop/no-wayport",
	"drop/no-nat-port", "drop/recovering", "drop/metadata-not-present",
}

// String returns the counter's name as `show stats` prints it.
func (c Counter) String() string { return names[c] }

// Stats are the counters of an engine, indexed by Counter.
type Stats [counters]uint64

// Add adds n to counter c.
func (s *Stats) Add(c Counter, n uint64) { s[c] += n }

// Stats returns a copy of the counters.
func (e *Engine) Stats() Stats { return e.stats }
