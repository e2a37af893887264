package zmtp_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"waymark/mgmt/salt/zmtp"
)

// recorded is a peer that sends what a recording has and keeps what it is sent.
type recorded struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

func (r *recorded) Read(b []byte) (int, error)       { return r.in.Read(b) }
func (r *recorded) Write(b []byte) (int, error)      { return r.out.Write(b) }
func (r *recorded) SetDeadline(time.Time) error      { return nil }
func (r *recorded) SetWriteDeadline(time.Time) error { return nil }

func playback(in []byte) *recorded { return &recorded{in: bytes.NewReader(in)} }

type frame struct{ Dir, Kind, Hex string }

func recordings(t testing.TB) map[string][]frame {
	t.Helper()
	out := map[string][]frame{}
	for _, v := range []string{"3006", "3007"} {
		raw, err := os.ReadFile("../testdata/salt-" + v + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Exchanges []struct {
				Name   string
				Frames []frame
			}
		}
		if err := json.Unmarshal(raw, &file); err != nil {
			t.Fatal(err)
		}
		for _, e := range file.Exchanges {
			out[v+" "+e.Name] = e.Frames
		}
	}
	return out
}

// side joins what one side sent.
func side(t testing.TB, frames []frame, dir string) []byte {
	t.Helper()
	var out []byte
	for _, f := range frames {
		if f.Dir != dir {
			continue
		}
		raw, err := hex.DecodeString(f.Hex)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, raw...)
	}
	return out
}

// Each recorded handshake is played from both sides; what we send is what stock
// Salt sent, byte for byte. libzmq's greeting has a length of old in bytes 1 to
// 8 of SUB, which readers ignore; it is ignored here too.
func TestRecordedHandshakes(t *testing.T) {
	all := recordings(t)
	for _, tt := range []struct {
		name           string
		client, server zmtp.Options
		topics         []string
		commands       bool // the stock SUB subscribes by command
	}{
		{"zmtp req", zmtp.Options{Socket: zmtp.REQ, Minor: 1}, zmtp.Options{Socket: zmtp.ROUTER, Minor: 1}, nil, false},
		{"zmtp sub", zmtp.Options{Socket: zmtp.SUB, Minor: 1}, zmtp.Options{Socket: zmtp.PUB, Minor: 1}, []string{""}, true},
		{"zmtp req 3.0", zmtp.Options{Socket: zmtp.REQ}, zmtp.Options{Socket: zmtp.ROUTER, Minor: 1}, nil, false},
		{"zmtp sub 3.0", zmtp.Options{Socket: zmtp.SUB, Identity: "cpe-1"}, zmtp.Options{Socket: zmtp.PUB, Minor: 1}, []string{""}, false},
		{"zmtp sub zmq_filtering", zmtp.Options{Socket: zmtp.SUB, Minor: 1}, zmtp.Options{Socket: zmtp.PUB, Minor: 1}, []string{"broadcast", "cef866a91fef685393754c0b44f58c8f54b719af"}, true},
	} {
		for _, v := range []string{"3006 ", "3007 "} {
			t.Run(v+tt.name, func(t *testing.T) {
				client, server := side(t, all[v+tt.name], "c2s"), side(t, all[v+tt.name], "s2c")
				playClient(t, client, server, tt.client, tt.topics, tt.commands)
				playServer(t, client, server, tt.server, tt.topics)
			})
		}
	}
}

func playClient(t *testing.T, client, server []byte, o zmtp.Options, topics []string, commands bool) {
	p := playback(server)
	o.Max = 1 << 16
	z, err := zmtp.Handshake(p, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range topics {
		if commands {
			break
		}
		if err := z.Subscribe(topic); err != nil {
			t.Fatal(err)
		}
	}
	got, want := p.out.Bytes(), bytes.Clone(client)
	copy(want[1:9], got[1:9])
	if commands {
		want = want[:len(got)]
	}
	if !bytes.Equal(got, want) {
		t.Errorf("client sends\n%x, want\n%x", got, want)
	}
}

func playServer(t *testing.T, client, server []byte, o zmtp.Options, topics []string) {
	p := playback(client)
	o.Max = 1 << 16
	z, err := zmtp.Handshake(p, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.out.Bytes(); !bytes.Equal(got, server) {
		t.Errorf("server sends\n%x, want\n%x", got, server)
	}
	for _, topic := range topics {
		m, err := z.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		asked := string(m.Data)
		if m.Command == "" {
			asked = string(m.Parts[0])
			topic = "\x01" + topic
		} else if m.Command != "SUBSCRIBE" {
			t.Errorf("command %q", m.Command)
		}
		if asked != topic {
			t.Errorf("subscribed %q, want %q", asked, topic)
		}
	}
	if _, err := z.ReadMessage(); err != io.EOF {
		t.Errorf("end: %v", err)
	}
}

// Every recorded message is read and written as it was.
func TestRecordedMessages(t *testing.T) {
	n := 0
	for name, frames := range recordings(t) {
		for _, f := range frames {
			if f.Kind != "message" {
				continue
			}
			raw, _ := hex.DecodeString(f.Hex)
			z := reader(t, raw, 1<<20)
			m, err := z.ReadMessage()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := zmtp.Frames(m.Parts...); !bytes.Equal(got, raw) {
				t.Errorf("%s: %x, want %x", name, got, raw)
			}
			n++
		}
	}
	if n < 277 {
		t.Errorf("only %d messages", n)
	}
}

// hello is a peer's side of a handshake with our SUB.
func hello() []byte {
	g := make([]byte, 64)
	g[0], g[9], g[10] = 0xff, 0x7f, 3
	copy(g[12:], "NULL")
	return append(g, "\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB"...)
}

func reader(t testing.TB, in []byte, max int) *zmtp.Conn {
	t.Helper()
	z, err := zmtp.Handshake(playback(append(hello(), in...)), zmtp.Options{Socket: zmtp.SUB, Max: max})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestRefusedHandshakes(t *testing.T) {
	change := func(at int, with string) []byte {
		h := hello()
		copy(h[at:], with)
		return h
	}
	for name, tt := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":                {nil, io.EOF},
		"cut greeting":           {hello()[:40], io.ErrUnexpectedEOF},
		"http":                   {[]byte(strings.Repeat("GET / HTTP/1.1\r\n", 8)), zmtp.ErrGreeting},
		"version 2":              {change(10, "\x01"), zmtp.ErrGreeting},
		"curve":                  {change(12, "CURVE"), zmtp.ErrGreeting},
		"message before READY":   {change(64, "\x00"), zmtp.ErrFrame},
		"long command":           {append(hello()[:64], "\x06\x00\x00\x00\x00\x00\x01\x00\x00"...), zmtp.ErrTooLarge},
		"negative length":        {append(hello()[:64], "\x06\xff\xff\xff\xff\xff\xff\xff\xff"...), zmtp.ErrTooLarge},
		"unnamed command":        {append(hello()[:64], "\x04\x01\x00"...), zmtp.ErrFrame},
		"other command":          {append(hello()[:64], "\x04\x05\x04PING"...), zmtp.ErrFrame},
		"cut property":           {append(hello()[:64], "\x04\x08\x05READY\x0bS"...), zmtp.ErrFrame},
		"property larger":        {append(hello()[:64], "\x04\x0d\x05READY\x01a\x00\xff\xff\xff\x00"...), zmtp.ErrFrame},
		"socket does not fit":    {append(hello()[:64], "\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06ROUTER"...), zmtp.ErrSocket},
		"more on a command":      {change(64, "\x05"), zmtp.ErrFrame},
		"end inside the command": {hello()[:80], io.ErrUnexpectedEOF},
	} {
		_, err := zmtp.Handshake(playback(tt.in), zmtp.Options{Socket: zmtp.SUB, Max: 1000})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestRefusedMessages(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want error
	}{
		"end":                    {"", io.EOF},
		"end in head":            {"\x00", io.ErrUnexpectedEOF},
		"end in body":            {"\x00\x05abc", io.ErrUnexpectedEOF},
		"end between parts":      {"\x01\x01a", io.ErrUnexpectedEOF},
		"reserved flag":          {"\x08\x00", zmtp.ErrFrame},
		"too large":              {"\x02\x00\x00\x00\x00\x00\x00\x03\xe9", zmtp.ErrTooLarge},
		"too large together":     {"\x01\x80" + strings.Repeat("a", 128) + "\x02\x00\x00\x00\x00\x00\x00\x03\x70", zmtp.ErrTooLarge},
		"too many parts":         {strings.Repeat("\x01\x00", 9), zmtp.ErrFrame},
		"command in a message":   {"\x01\x01a\x04\x05\x04PING", zmtp.ErrFrame},
		"short ping":             {"\x04\x06\x04PINGx", zmtp.ErrFrame},
		"long ping":              {"\x04\x18\x04PING" + strings.Repeat("x", 19), zmtp.ErrFrame},
		"error after handshake":  {"\x04\x07\x05ERROR\x00", zmtp.ErrFrame},
		"command without a name": {"\x04\x00", zmtp.ErrFrame},
	} {
		if m, err := reader(t, []byte(tt.in), 1000).ReadMessage(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v, want %v", name, m, err, tt.want)
		}
	}
}

func TestPingIsAnswered(t *testing.T) {
	p := playback(append(hello(), "\x04\x09\x04PING\x00\x0ahi\x04\x05\x04PONG\x00\x03abc"...))
	z, err := zmtp.Handshake(p, zmtp.Options{Socket: zmtp.SUB, Max: 1000})
	if err != nil {
		t.Fatal(err)
	}
	before := p.out.Len()
	m, err := z.ReadMessage()
	if err != nil || len(m.Parts) != 1 || string(m.Parts[0]) != "abc" {
		t.Errorf("%q, %v", m, err)
	}
	if got := p.out.String()[before:]; got != "\x04\x07\x04PONGhi" {
		t.Errorf("answer to PING: %q", got)
	}
}

// Announcing a large frame costs the peer as much as us.
func TestAllocationFollowsWhatCame(t *testing.T) {
	in := append([]byte("\x02\x00\x00\x00\x00\x03\xff\xff\xff"), make([]byte, 100<<10)...)
	z := reader(t, in, 64<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := z.ReadMessage(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 2<<20 {
		t.Errorf("64 MiB announced, 100 KiB came, %d bytes allocated", got)
	}
}

// FuzzConn feeds both the handshake and what follows.
func FuzzConn(f *testing.F) {
	for _, frames := range recordings(f) {
		if frames[0].Kind == "greeting" {
			f.Add(side(f, frames, "c2s"))
			f.Add(side(f, frames, "s2c"))
			continue
		}
		f.Add(append(hello(), side(f, frames, "s2c")...))
	}
	f.Add(append(hello(), "\x04\x09\x04PING\x00\x0ahi\x01\x00\x00\x03abc"...))
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, socket := range []string{zmtp.SUB, zmtp.ROUTER, zmtp.PUB} {
			z, err := zmtp.Handshake(playback(in), zmtp.Options{Socket: socket, Max: 1 << 16})
			if err != nil {
				continue
			}
			for {
				m, err := z.ReadMessage()
				if err != nil {
					break
				}
				total := 0
				for _, p := range m.Parts {
					total += len(p)
				}
				if total > 1<<16 || len(m.Parts) > 8 || (m.Command == "") == (len(m.Parts) == 0) {
					t.Fatalf("%d parts of %d bytes, command %q", len(m.Parts), total, m.Command)
				}
			}
		}
	})
}
