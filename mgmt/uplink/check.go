package uplink

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Kind implements Message.
func (*Hello) Kind() Kind { return KindHello }

// Kind implements Message.
func (*Welcome) Kind() Kind { return KindWelcome }

// Kind implements Message.
func (*Done) Kind() Kind { return KindDone }

// Kind implements Message.
func (*Refused) Kind() Kind { return KindRefused }

// Kind implements Message.
func (*Config) Kind() Kind { return KindConfig }

// Kind implements Message.
func (*ConfigState) Kind() Kind { return KindConfigState }

// Kind implements Message.
func (*Book) Kind() Kind { return KindBook }

// Kind implements Message.
func (*Position) Kind() Kind { return KindPosition }

// Kind implements Message.
func (*Events) Kind() Kind { return KindEvents }

// Kind implements Message.
func (*Addresses) Kind() Kind { return KindAddresses }

// Kind implements Message.
func (*Entitlement) Kind() Kind { return KindEntitlement }

// Kind implements Message.
func (*LogRequest) Kind() Kind { return KindLogRequest }

// Kind implements Message.
func (*LogList) Kind() Kind { return KindLogList }

// Kind implements Message.
func (*LogHeader) Kind() Kind { return KindLogHeader }

var errRange = errors.New("value out of its range")

// texts refuses long ones and control characters: they end in logs and tables.
func texts(list ...string) error {
	for _, s := range list {
		if len(s) > MaxText || !utf8.ValidString(s) {
			return fmt.Errorf("%w: text of %d bytes", errRange, len(s))
		}
		for _, r := range s {
			if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
				return fmt.Errorf("%w: control character in a text", errRange)
			}
		}
	}
	return nil
}

// within refuses numbers below low or above high.
func within(what string, v, low, high int64) error {
	if v < low || v > high {
		return fmt.Errorf("%w: %s %d is not within %d and %d", errRange, what, v, low, high)
	}
	return nil
}

// Bounds of Hello.Keepalive in seconds.
const (
	MinKeepalive = 1
	MaxKeepalive = 3600
)

// maxRetry bounds what a conductor can make a box wait: a day, in seconds.
const maxRetry = 86400

func (m *Hello) check() error {
	f := &m.Facts
	return errors.Join(within("version", int64(m.Version), 1, 1<<16), within("keepalive", int64(m.Keepalive), MinKeepalive, MaxKeepalive),
		texts(f.Software, f.Board, f.Router, f.Node, f.Boot, f.Serial, f.SaltKey, f.Config))
}

func (m *Welcome) check() error {
	switch m.State {
	case StateAccepted, StatePending, StateRejected, StateDuplicate, StateBusy:
	default:
		return fmt.Errorf("%w: state %q", errRange, m.State)
	}
	return errors.Join(within("version", int64(m.Version), 1, 1<<16), within("retry", int64(m.Retry), 0, maxRetry),
		texts(m.Reason, m.Conductor))
}

func (*Done) check() error      { return nil }
func (m *Refused) check() error { return texts(m.Reason) }

// maxConfirm bounds the confirm timer in seconds.
const maxConfirm = 86400

func (m *Config) check() error {
	return errors.Join(texts(m.Router, m.Node), within("confirm", int64(m.Confirm), 0, maxConfirm), within("size", int64(len(m.Packed)), 1, MaxConfig))
}

func (m *ConfigState) check() error {
	switch m.Status {
	case ConfigNone, ConfigApplying, ConfigInSync, ConfigOutOfSync, ConfigInvalid, ConfigRolledBack:
	default:
		return fmt.Errorf("%w: status %q", errRange, m.Status)
	}
	return errors.Join(texts(m.Running, m.Sent, m.Router, m.Node), within("length of error", int64(len(m.Error)), 0, 16*MaxText))
}

func (m *Book) check() error {
	err := within("entries", int64(len(m.Entries)), 0, MaxBook)
	for i := range m.Entries {
		e := &m.Entries[i]
		err = errors.Join(err, texts(e.Router, e.Node, e.Interface, e.Hostname))
	}
	return err
}

func (m *Position) check() error {
	if m.Epoch == "" {
		return nil
	}
	return epoch(m.Epoch)
}

// epochLen is the length of an epoch as text.
const epochLen = 32

func epoch(s string) error {
	if _, err := hex.DecodeString(s); err != nil || len(s) != epochLen {
		return fmt.Errorf("%w: epoch %.40q", errRange, s)
	}
	return nil
}

func (m *Events) check() error {
	err := errors.Join(epoch(m.Epoch), within("events", int64(len(m.Events)), 1, MaxEvents))
	for i, last := 0, uint64(0); i < len(m.Events) && err == nil; i++ {
		e := &m.Events[i]
		switch {
		case e.Seq <= last, e.Alarm > e.Seq, i > 0 && e.Seq != last+1:
			err = fmt.Errorf("%w: event %d after %d", errRange, e.Seq, last)
		}
		last = e.Seq
	}
	return err
}

func (m *Addresses) check() error {
	err := within("addresses", int64(len(m.Addresses)), 0, MaxAddrs)
	for i := range m.Addresses {
		a := &m.Addresses[i]
		err = errors.Join(err, texts(a.Router, a.Node, a.Interface, a.Hostname))
	}
	return err
}

func (m *Entitlement) check() error {
	err := errors.Join(texts(m.Router), within("samples", int64(len(m.Samples)), 0, MaxSamples))
	for _, s := range m.Samples {
		err = errors.Join(err, within("seconds of a sample", int64(s.Seconds), 1, 86400))
	}
	return err
}

func (m *LogRequest) check() error {
	return errors.Join(texts(m.Name), within("offset", m.Offset, 0, 1<<40), within("limit", m.Limit, 0, 1<<40))
}

// maxLogs bounds a list of logs.
const maxLogs = 1024

func (m *LogList) check() error {
	err := within("logs", int64(len(m.Logs)), 0, maxLogs)
	for i := range m.Logs {
		err = errors.Join(err, m.Logs[i].ok())
	}
	return err
}

func (l *Log) ok() error { return errors.Join(texts(l.Name), within("size", l.Size, 0, 1<<40)) }

func (m *LogHeader) check() error {
	return errors.Join(m.ok(), within("offset", m.Offset, 0, m.Size), within("length", m.Length, 0, m.Size-m.Offset))
}

// DecodeExtra reads the extra data of a channel or request (Shell, Size, Salt)
// into m. It is JSON of at most MaxText bytes.
func DecodeExtra(data []byte, m any) error {
	if len(data) > MaxText {
		return fmt.Errorf("%w: %d bytes of extra data", ErrTooLong, len(data))
	}
	if err := json.Unmarshal(data, m); err != nil {
		return fmt.Errorf("%w: extra data: %w", ErrContent, err)
	}
	return nil
}
