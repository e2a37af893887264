package sntp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

const (
	packetLen  = 48
	modeClient = 3
	modeServer = 4
	version    = 4
	// maxRoot bounds what a server may say about its own distance from the
	// time: beyond, it does not know the time.
	maxRoot = 1500 * time.Millisecond
)

// Errors of an answer.
var (
	// ErrName: the name of the server was not found.
	ErrName   = errors.New("name not found")
	ErrAnswer = errors.New("no answer to this request")
	ErrUnsync = errors.New("server does not know the time")
	ErrDeny   = errors.New("server does not want to be asked")
	ErrRate   = errors.New("server is asked too often")
	ErrFloor  = errors.New("server's time lies before this program was built")
)

// Sample is what one answer says.
type Sample struct {
	Offset  time.Duration // of the true time from our clock
	Delay   time.Duration // there and back
	Error   time.Duration // most that Offset can be wrong
	Stratum uint8
	RefID   string
}

// request is a question; nonce comes back in its answer.
func request(nonce uint64) []byte {
	b := make([]byte, packetLen)
	b[0] = version<<3 | modeClient
	binary.BigEndian.PutUint64(b[40:], nonce)
	return b
}

// read judges an answer to a request that left at sent by
// our clock; took is the time until it came back, by a clock that nobody sets.
func read(b []byte, nonce uint64, sent time.Time, took time.Duration) (Sample, error) {
	if len(b) < packetLen || b[0]&7 != modeServer || b[0]>>3&7 == 0 || binary.BigEndian.Uint64(b[24:]) != nonce {
		return Sample{}, ErrAnswer
	}
	s := Sample{Stratum: b[1], RefID: refID(b)}
	if s.Stratum == 0 {
		switch s.RefID {
		case "DENY", "RSTR":
			return s, ErrDeny
		case "RATE":
			return s, ErrRate
		}
		return s, fmt.Errorf("%w: %s", ErrUnsync, s.RefID)
	}
	root := short(b[4:])/2 + short(b[8:])
	received, transmitted := stamp(b[32:]), stamp(b[40:])
	if b[0]>>6 == 3 || s.Stratum > 15 || root > maxRoot || received.IsZero() || transmitted.Before(received) {
		return s, ErrUnsync
	}
	s.Delay = max(took-transmitted.Sub(received), 0)
	s.Offset = received.Sub(sent)/2 + transmitted.Sub(sent.Add(took))/2
	s.Error = s.Delay/2 + root + time.Millisecond
	return s, nil
}

// short is a time of 16.16 bits of seconds.
func short(b []byte) time.Duration {
	return time.Duration(uint64(binary.BigEndian.Uint32(b)) * uint64(time.Second) >> 16)
}

// epoch is where NTP counts from.
var epoch = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)

// stamp is a timestamp of 32.32 bits; zero: none. A cleared first bit means 2036
// and later (RFC 4330 3).
func stamp(b []byte) time.Time {
	v := binary.BigEndian.Uint64(b)
	if v == 0 {
		return time.Time{}
	}
	seconds := int64(v >> 32)
	if v>>63 == 0 {
		seconds += 1 << 32
	}
	nanos := int64((v & 0xffffffff) * uint64(time.Second) >> 32)
	return time.Unix(epoch.Unix()+seconds, nanos)
}

// refID is a name of four letters below stratum 2, an address above.
func refID(b []byte) string {
	if b[1] >= 2 {
		return netip.AddrFrom4([4]byte(b[12:16])).String()
	}
	var s []byte
	for _, c := range b[12:16] {
		if c > ' ' && c < 0x7f {
			s = append(s, c)
		}
	}
	return string(s)
}
