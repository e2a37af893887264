package uplink_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"waymark/mgmt/uplink"
	"waymark/svr/event"
)

var epoch = strings.Repeat("0f", 16)

// whole are messages with every field set.
func whole() []uplink.Message {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return []uplink.Message{
		&uplink.Hello{Version: 1, Probe: true, Keepalive: 300, Facts: uplink.Facts{Software: "1.0", Board: "b", Router: "r", Node: "n", Boot: "x", Serial: "s", SaltKey: "k", Metered: true, Config: "c"}},
		&uplink.Welcome{Version: 1, State: uplink.StatePending, Reason: "unknown", Retry: 30, Conductor: "c1", Time: at},
		&uplink.Done{}, &uplink.Refused{Reason: "no", Final: true},
		&uplink.Config{Router: "r", Node: "n", Packed: []byte{1, 2}, Confirm: 60, Replace: true},
		&uplink.ConfigState{Status: uplink.ConfigInSync, Running: "a", Sent: "a", Router: "r", Node: "n", Error: "e"},
		&uplink.Book{Full: true, Revision: 7, Entries: []uplink.BookEntry{{Router: "r", Node: "n", Interface: "wan", Hostname: "h.example", Address: netip.MustParseAddr("192.0.2.1")}}},
		&uplink.Position{Epoch: epoch, Seq: 9},
		&uplink.Events{Epoch: epoch, Lost: 2, Events: []uplink.Event{{Seq: 3, Alarm: 3, Record: event.Record{ID: "n.r:1", Time: at, Message: "m", Kind: event.KindAlarm, Type: event.TypeAdd}}}},
		&uplink.Addresses{Full: true, Addresses: []uplink.Address{{Router: "r", Node: "n", Interface: "wan", Address: netip.MustParseAddr("2001:db8::1"), Since: at}}},
		&uplink.Entitlement{Router: "r", Samples: []uplink.Sample{{Start: at, Seconds: 300, Peak: 1e9}}},
		&uplink.LogRequest{Name: "events.jsonl", Offset: 5, Limit: 6}, &uplink.LogList{Logs: []uplink.Log{{Name: "a", Size: 1, Modified: at}}},
		&uplink.LogHeader{Log: uplink.Log{Name: "a", Size: 10, Modified: at}, Offset: 4, Length: 6},
	}
}

// What is written is read back, frame behind frame.
func TestFrames(t *testing.T) {
	var stream bytes.Buffer
	for _, m := range whole() {
		if err := uplink.WriteFrame(&stream, m, uplink.MaxFrame); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range whole() {
		f, err := uplink.ReadFrame(&stream, uplink.MaxFrame)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Decode()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("kind %d: %+v, %v, want %+v", f.Kind, got, err, want)
		}
	}
	if _, err := uplink.ReadFrame(&stream, uplink.MaxFrame); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func frame(kind uplink.Kind, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)+1))
	return append(append(b, byte(kind)), body...)
}

// What must not be taken is not.
func TestRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		raw  []byte
		want error
	}{
		"empty":             {[]byte{0, 0, 0, 0}, uplink.ErrEmpty},
		"announced giant":   {[]byte{0xff, 0xff, 0xff, 0xff, 1}, uplink.ErrTooLong},
		"one too long":      {binary.BigEndian.AppendUint32(nil, uplink.MaxHello+1), uplink.ErrTooLong},
		"cut":               {frame(uplink.KindHello, `{"version":1}`)[:9], io.ErrUnexpectedEOF},
		"unknown kind":      {frame(200, "{}"), uplink.ErrKind},
		"no JSON":           {frame(uplink.KindHello, "]"), uplink.ErrContent},
		"version 0":         {frame(uplink.KindHello, `{"keepalive":5}`), uplink.ErrContent},
		"keepalive":         {frame(uplink.KindHello, `{"version":1,"keepalive":100000}`), uplink.ErrContent},
		"escape sequence":   {frame(uplink.KindHello, `{"version":1,"keepalive":5,"facts":{"software":"\u001b[2J"}}`), uplink.ErrContent},
		"state":             {frame(uplink.KindWelcome, `{"version":1,"state":"root"}`), uplink.ErrContent},
		"epoch":             {frame(uplink.KindEvents, `{"epoch":"../x","events":[{"seq":1}]}`), uplink.ErrContent},
		"gap in a batch":    {frame(uplink.KindEvents, `{"epoch":"`+epoch+`","events":[{"seq":1},{"seq":3}]}`), uplink.ErrContent},
		"backwards":         {frame(uplink.KindEvents, `{"epoch":"`+epoch+`","events":[{"seq":2},{"seq":1}]}`), uplink.ErrContent},
		"alarm of later":    {frame(uplink.KindEvents, `{"epoch":"`+epoch+`","events":[{"seq":2,"alarm":3}]}`), uplink.ErrContent},
		"no events":         {frame(uplink.KindEvents, `{"epoch":"`+epoch+`","events":[]}`), uplink.ErrContent},
		"address":           {frame(uplink.KindAddresses, `{"addresses":[{"address":"1.2.3"}]}`), uplink.ErrContent},
		"negative offset":   {frame(uplink.KindLogRequest, `{"name":"a","offset":-1}`), uplink.ErrContent},
		"header past end":   {frame(uplink.KindLogHeader, `{"name":"a","size":5,"offset":4,"length":2}`), uplink.ErrContent},
		"nothing packed":    {frame(uplink.KindConfig, `{"router":"r"}`), uplink.ErrContent},
		"sample of no time": {frame(uplink.KindEntitlement, `{"samples":[{"seconds":0}]}`), uplink.ErrContent},
	} {
		f, err := uplink.ReadFrame(bytes.NewReader(row.raw), uplink.MaxHello)
		if err == nil {
			_, err = f.Decode()
		}
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
	if _, err := uplink.AppendFrame(nil, &uplink.Config{Packed: make([]byte, 100)}, 50); !errors.Is(err, uplink.ErrTooLong) {
		t.Errorf("written too long: %v", err)
	}
	var r *uplink.Refused
	f := uplink.Frame{Kind: uplink.KindRefused, Body: []byte(`{"reason":"no"}`)}
	if err := f.Into(&uplink.Done{}); !errors.As(err, &r) || r.Reason != "no" {
		t.Errorf("refused: %v", err)
	}
}

func TestPack(t *testing.T) {
	text := []byte(`{"authority": {"name": "acme", "n": 10000000000000000001}}`)
	packed, err := uplink.Pack(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := uplink.Unpack(packed); err != nil || !bytes.Equal(got, text) {
		t.Errorf("unpack: %q, %v", got, err)
	}
	bomb, err := uplink.Pack(make([]byte, uplink.MaxUnpacked+1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := uplink.Unpack(bomb); !errors.Is(err, uplink.ErrTooLong) {
		t.Errorf("a bomb: %v", err)
	}
	if _, err := uplink.Unpack([]byte("PK")); err == nil {
		t.Error("what is not packed is unpacked")
	}
	a, errA := uplink.Digest(text)
	b, errB := uplink.Digest([]byte(`{"authority":{"n":10000000000000000001,"name":"acme"}}`))
	c, errC := uplink.Digest([]byte(`{"authority":{"n":10000000000000000002,"name":"acme"}}`))
	if err := errors.Join(errA, errB, errC); err != nil || a != b || a == c || len(a) != 64 {
		t.Errorf("digests %s %s %s, %v", a, b, c, err)
	}
}

func TestValidAsset(t *testing.T) {
	for id, want := range map[string]bool{"wm-0a0b": true, "WM-0001": true, "": false, ".x": false, "a/b": false, `a\b`: false, "a b": false, "ä": false, strings.Repeat("x", 129): false} {
		if uplink.ValidAsset(id) != want {
			t.Errorf("%q: %v", id, !want)
		}
	}
}

// A frame that is read is within its bounds, and what is decoded can be written
// and read again.
func FuzzFrame(f *testing.F) {
	for _, m := range whole() {
		b, err := uplink.AppendFrame(nil, m, uplink.MaxFrame)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		fr, err := uplink.ReadFrame(bytes.NewReader(raw), uplink.MaxHello)
		if err != nil {
			return
		}
		if len(fr.Body) >= uplink.MaxHello {
			t.Fatalf("%d bytes", len(fr.Body))
		}
		m, err := fr.Decode()
		if err != nil {
			return
		}
		b, err := uplink.AppendFrame(nil, m, uplink.MaxConfig)
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		again, err := uplink.ReadFrame(bytes.NewReader(b), uplink.MaxConfig)
		if err == nil {
			_, err = again.Decode()
		}
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
	})
}
