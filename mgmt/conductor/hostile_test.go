package conductor_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/conductor/asset"
	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/minion"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/zmtp"
	"waymark/mgmt/uplink"
	"waymark/svr/event"
)

const repeats = 5

// attacks are what is refused. Each is done some times; the conductor tells every
// kind once. tells is how many kinds there are, 0 where the box tells instead.
var attacks = []struct {
	name  string
	tells int
	times int
	do    func(h *hostile)
}{
	{"an unknown key, by uplink", 1, repeats, func(h *hostile) {
		if w, err := h.greets("nobody", h.signer, hello(5)); err != nil || w.State != uplink.StatePending {
			h.Errorf("%+v, %v", w, err)
		}
	}},
	{"another box's id, by uplink", 1, repeats, func(h *hostile) {
		if w, err := h.greets("cpe-0", newSigner(h.T), hello(5)); err != nil || w.State != uplink.StateDuplicate {
			h.Errorf("%+v, %v", w, err)
		}
	}},
	{"a key of another type", 1, repeats, func(h *hostile) {
		k, err := ssh.NewSignerFromKey(rsaKey())
		h.must(err)
		if w, err := h.greets("cpe-0", k, hello(5)); err == nil {
			h.Errorf("%+v", w)
		}
	}},
	{"an asset id that is a path", 1, repeats, func(h *hostile) {
		if w, err := h.greets("../../etc/passwd", newSigner(h.T), hello(5)); err == nil {
			h.Errorf("%+v", w)
		}
	}},
	{"a frame that is oversized, by uplink", 1, repeats, func(h *hostile) {
		if w, err := h.greets("cpe-0", newSigner(h.T), binary.BigEndian.AppendUint32(nil, 1<<31)); err == nil {
			h.Errorf("%+v", w)
		}
	}},
	{"a banner without an end", 1, repeats, func(h *hostile) {
		c := h.dial(h.s.Listen)
		_, _ = c.Write(bytes.Repeat([]byte{'x'}, 70000)) // it may be closed before the end
		h.closes(c)
	}},
	{"an unknown key, by Salt", 1, repeats, func(h *hostile) {
		if _, _, err := h.claims("nobody2", h.key); err == nil || err.Error() != "pending" {
			h.Errorf("claim: %v", err)
		}
	}},
	{"another box's id, by Salt", 1, repeats, func(h *hostile) {
		if _, _, err := h.claims("cpe-0", h.key); err == nil || err.Error() != "rejected" {
			h.Errorf("claim: %v", err)
		}
	}},
	{"another's pillar", 1, repeats, (*hostile).foreignPillar},
	{"a minion's id that is a path", 1, repeats, func(h *hostile) {
		who, err := salt.NewIdentity("cpe-0", h.key, salt.SHA1, rand.Reader)
		h.must(err)
		c, err := who.Claim(salt.NewNonce(), nil)
		h.must(err)
		env, err := msgpack.DecodeMap(c.Payload)
		h.must(err)
		load := env.Get("load").(msgpack.Map)
		load.Set("id", "../cpe-0")
		env.Set("load", load)
		raw, err := msgpack.Marshal(env)
		h.must(err)
		if _, _, err := who.OpenAuth(c, []byte(h.asks(raw)), nil); err == nil {
			h.Error("claimed")
		}
	}},
	{"a publication of a minion", 1, 1, func(h *hostile) {
		h.sealed(msgpack.KV("cmd", "minion_pub", "fun", "system.reboot", "tgt", "*"))
	}},
	{"files out of the master's", 1, 1, func(h *hostile) {
		for _, path := range []string{"../../etc/shadow", "/etc/shadow", "a/../../b", "", ".", "a//b", "a\\..\\b/.."} {
			h.sealed(salt.ServeLoad(path, "base", 0))
			h.sealed(salt.HashLoad(path, "base"))
		}
	}},
	{"a frame that is oversized, by Salt's requests", 1, repeats, func(h *hostile) {
		z, err := zmtp.Handshake(h.dial(h.s.Salt), zmtp.Options{Socket: zmtp.REQ, Max: 1 << 10, Timeout: 30 * time.Second})
		h.must(err)
		_ = z.WriteMessage(nil, make([]byte, 1<<20)) // it may be closed before the end
		if m, err := z.ReadMessage(); err == nil {
			h.Errorf("answered: %.60q", m.Parts)
		}
	}},
	{"a frame that is oversized, by Salt's publications", 1, repeats, func(h *hostile) {
		c := h.dial(publications(h.s))
		z, err := zmtp.Handshake(c, zmtp.Options{Socket: zmtp.SUB, Max: 1 << 10, Timeout: 30 * time.Second})
		h.must(err)
		_ = z.WriteMessage(make([]byte, 1<<20))
		h.closes(c)
	}},
	{"no greeting of ZeroMQ", 1, repeats, func(h *hostile) {
		c := h.dial(h.s.Salt)
		_, _ = c.Write(bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 100))
		h.closes(c)
	}},
	{"no token, and wrong ones", 1, repeats, func(h *hostile) {
		for _, token := range []string{"", "x", strings.Repeat("0", 64), h.token() + "0"} {
			h.web("GET", "/v1/assets", token, nil, 401)
			h.web("POST", "/v1/assets/nobody/accept", token, nil, 401)
			h.web("GET", "/metrics", token, nil, 401)
		}
	}},
	{"paths of the API that are none", 1, repeats, func(h *hostile) {
		for _, path := range []string{"/etc/passwd", "/v1/admin.token", "/v1/assets/..%2f..%2fadmin.token/accept/x"} {
			h.web("GET", path, h.token(), nil, 404)
		}
	}},
	{"a body that is oversized", 1, 2, func(h *hostile) {
		h.web("PUT", "/v1/config", h.token(), io.LimitReader(endless{}, uplink.MaxUnpacked+1<<20), 413)
	}},
	{"a head that is oversized", 1, repeats, func(h *hostile) {
		h.web("GET", "/v1/assets?"+strings.Repeat("x", 64<<10), h.token(), nil, 431)
	}},
	{"logs out of a box's", 0, 1, func(h *hostile) {
		for _, name := range []string{"../secret.log", "log/../../secret.log", "/etc/passwd", "secret.txt", "link.log", "agent.json", "nothing.log", "./events.jsonl"} {
			if text, err := h.runs("logs", "cpe-2", name); err == nil || strings.Contains(text, "secret") {
				h.Errorf("logs %s: %q, %v", name, text, err)
			}
		}
		if text, err := h.runs("logs", "cpe-2", "true.log"); err != nil || !strings.Contains(text, "a line") {
			h.Errorf("a log that there is: %q, %v", text, err)
		}
	}},
	{"assets whose ids are paths", 0, 1, func(h *hostile) {
		for _, words := range [][]string{{"connect", "../../x"}, {"logs", "../x"}, {"asset", "accept", "../x"}, {"asset", "forget", "a/../cpe-0"}} {
			if text, err := h.runs(words...); err == nil {
				h.Errorf("%q: %q", words, text)
			}
		}
		if left, err := filepath.Glob(filepath.Join(h.s.Dir, "sessions", "*")); err != nil || len(left) > 0 {
			h.Errorf("recorded: %v, %v", left, err)
		}
	}},
	{"1,000 half-open connections to 930", 2, 1, func(h *hostile) { h.half(h.s.Listen, bytes.Repeat([]byte{0xff}, 70000)) }},
	{"1,000 half-open connections to 4506", 2, 1, func(h *hostile) { h.half(h.s.Salt, bytes.Repeat([]byte{0xff}, 70000)) }},
	{"1,000 half-open connections to 4505", 2, 1, func(h *hostile) { h.half(publications(h.s), bytes.Repeat([]byte{0xff}, 70000)) }},
	{"1,000 half-open connections to the API", 1, 1, func(h *hostile) { h.half(h.s.HTTP, []byte("GET / HTTP/1.1\r\nHost: x\r\n")) }},
}

// closes waits until the conductor closes a connection.
func (h *hostile) closes(c net.Conn) {
	h.Helper()
	h.must(c.SetReadDeadline(time.Now().Add(time.Minute)))
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		h.Error("the connection stays")
	}
}

// endless is spaces, which are no configuration.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// Nobody gets in: every attack is refused, told once, and the service goes on:
// the box keeps its connection, its events arrive, and the operator is answered.
func TestNobodyGetsIn(t *testing.T) {
	s := settings(t, shortDir(t), "c1")
	c := start(t, process{Settings: s}, filepath.Join(t.TempDir(), "log"))
	commit(t, s, fleetConfig(3))
	d := &dials{}
	own, twin := newBox(t, "cpe-0", d), newBox(t, "cpe-1", d)
	defer runBox(t, own, s)()
	defer runBox(t, twin, s)()
	boxWithLogs(t, s, "cpe-2")
	up := func(b *simulated) bool { return b.up && b.running != "" && b.minion == minion.Ready }
	until(t, "the boxes", 2*time.Minute, lacking([]*simulated{own, twin}, up))
	until(t, "the box with an agent", 2*time.Minute, func() int {
		if (&hostile{T: t, s: s}).connected("cpe-2") {
			return 0
		}
		return 1
	})
	stranger, err := crypt.Generate(2048)
	if err != nil {
		t.Fatal(err)
	}
	told, signer := uint64(0), newSigner(t)
	for i, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			h := &hostile{T: t, s: s, addr: fmt.Sprintf("127.0.0.%d", 10+i), own: own, key: stranger, thief: twin.salt, signer: signer, log: c.output}
			for range a.times {
				a.do(h)
			}
			told++
			h.serviceGoesOn(told)
			until(t, "the end of what is told", 2*time.Minute, func() int { // the last ones may still wait to be accepted
				n, _ := h.told()
				return max(0, a.tells-n)
			})
			if n, text := h.told(); n != a.tells {
				t.Errorf("%d kinds are told, want %d:\n%s", n, a.tells, text)
			}
		})
	}
	var rows []asset.Row
	api(t, s, "GET", "/v1/assets", nil, &rows)
	for _, r := range rows {
		if r.ID == "cpe-0" && (len(r.Duplicates) == 0 || len(r.Keys) == 0) {
			t.Errorf("claimants: %+v", r)
		}
	}
}

func (h *hostile) connected(id string) bool {
	var rows []asset.Row
	api(h.T, h.s, "GET", "/v1/assets", nil, &rows)
	for _, r := range rows {
		if r.ID == id {
			return len(r.Conductors) > 0
		}
	}
	return false
}

// told counts the kinds that the conductor tells of the attacker. Each is told
// once; twice where the summary of a minute came between.
func (h *hostile) told() (n int, text string) {
	h.Helper()
	what := regexp.MustCompile(`what=("[^"]*"|\S+)`)
	from := regexp.MustCompile(`from="?` + regexp.QuoteMeta(h.addr) + `\b`)
	kinds := map[string]int{}
	for line := range strings.Lines(h.log()) {
		if (strings.Contains(line, "level=WARN") || strings.Contains(line, "waits for an operator")) && from.MatchString(line) {
			kinds[what.FindString(line)]++
			text += line
		}
	}
	for kind, lines := range kinds {
		if lines > 2 {
			h.Errorf("%s is told %d times", kind, lines)
		}
	}
	return len(kinds), text
}

// serviceGoesOn has the box tell event n and waits for it; nothing was cut.
func (h *hostile) serviceGoesOn(n uint64) {
	h.Helper()
	h.own.out.add([]uplink.Event{{Seq: n, Record: event.Record{ID: fmt.Sprint(n), Router: "branch0", Message: fmt.Sprint("event ", n), Time: time.Now()}}})
	until(h.T, "an event", 2*time.Minute, func() int {
		if h.own.out.idle() {
			return 0
		}
		return 1
	})
	var rows []eventRow
	api(h.T, h.s, "GET", "/v1/events?asset=cpe-0", nil, &rows)
	if len(rows) != int(n) || rows[n-1].Seq != n {
		h.Errorf("%d events, the last ones %v", len(rows), rows[max(0, len(rows)-3):])
	}
	h.own.do(func(b *simulated) {
		if !b.up || b.minion != minion.Ready || b.client.Traffic().Connects != 1 {
			h.Errorf("the box: up %v, minion %s, %d connections", b.up, b.minion, b.client.Traffic().Connects)
		}
	})
}
