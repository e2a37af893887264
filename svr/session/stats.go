package session

// Counter numbers what the engine counts.
type Counter int

// The counters, in the order of Names. Each is a number of packets unless its
// name says otherwise.
const (
	Forwarded Counter = iota
	ForHost
	WaitsForPath
	WaitsForPeer
	SessionsOpened
	SessionsAccepted
	SessionsRecovered
	SessionsMoved
	SessionsSteered
	PathDoubted
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
	SentHealth
	SentHealthAnswer
	HealthTimeout
	SentRequest
	ReceivedKeepAlive
	ReceivedDisable
	ReceivedEnable
	ReceivedDelete
	ReceivedHealth
	ReceivedHealthAnswer
	ReceivedChallenge
	ReceivedRequest
	SentICMP
	TranslatedICMP
	SentCarriedICMP
	ReceivedCarriedICMP
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
	"packets/forwarded", "packets/for-host", "packets/waiting-for-path", "packets/waiting-for-peer",
	"sessions/opened", "sessions/accepted", "sessions/recovered", "sessions/moved", "sessions/steered", "sessions/path-doubted",
	"sessions/refused-full", "sessions/gave-way", "sessions/refused", "sessions/timeout",
	"sessions/handshake-timeout",
	"metadata/added", "metadata/removed",
	"metadata/add-false-positive-correction", "metadata/remove-false-positive-correction",
	"metadata/sent-keep-alive", "metadata/sent-disable-forward-metadata",
	"metadata/sent-enable-metadata", "metadata/sent-delete", "metadata/sent-challenge",
	"metadata/added-session-health-check", "metadata/sent-session-health-check-acknowledgement",
	"metadata/session-health-check-timeout", "metadata/sent-session-request",
	"metadata/received-keep-alive", "metadata/received-disable-forward-metadata",
	"metadata/received-enable-metadata", "metadata/received-delete",
	"metadata/received-session-health-check", "metadata/received-session-health-check-acknowledgement",
	"metadata/received-challenge", "metadata/received-session-request",
	"icmp/sent", "icmp/translated", "icmp/sent-carried", "icmp/received-carried", "tcp/sent-reset",
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
func (e *Engine) Stats() Stats {
	s := e.stats
	s.Add(DropNoRoom, e.events.NoRoom.Load())
	s.Add(FalsePositiveAdded, e.events.FalsePositives.Load())
	return s
}
