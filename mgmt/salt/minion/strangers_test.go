package minion_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/master"
	"waymark/mgmt/salt/minion"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/zmtp"
)

// Strangers, and minions that ask for more than is theirs.

// ask sends one payload as a client of any kind.
func ask(t *testing.T, h *hub, payload []byte) string {
	t.Helper()
	c, err := net.Dial("tcp", h.req.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	z, err := zmtp.Handshake(c, zmtp.Options{Socket: zmtp.REQ, Max: 1 << 20, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	if err := z.WriteMessage(nil, payload); err != nil {
		t.Fatal(err)
	}
	m, err := z.ReadMessage()
	if err != nil {
		return ""
	}
	return string(m.Parts[1])
}

// claim makes an identity and its session at a hub.
func claim(t *testing.T, h *hub, id string, k *crypt.Private) (*salt.Identity, *salt.Session, error) {
	t.Helper()
	who, err := salt.NewIdentity(id, k, salt.SHA1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, err := who.Claim(salt.NewNonce(), nil)
	if err != nil {
		t.Fatal(err)
	}
	state, s, err := who.OpenAuth(c, []byte(ask(t, h, c.Payload)), nil)
	if err == nil && state != salt.Accepted {
		err = errors.New(state.String())
	}
	return who, s, err
}

// Row 7: nobody gets in.
func TestNobodyGetsIn(t *testing.T) {
	mk, k, k2 := keys(t)
	h := newHub(t, mk, accepted(t, map[string]*crypt.Private{"cpe-1": k}), "127.0.0.1:0", "127.0.0.1:0", master.Limits{Pending: 2})
	if _, _, err := claim(t, h, "cpe-1", k2); err == nil || err.Error() != "rejected" {
		t.Errorf("another key under a known id: %v", err)
	}
	for n, want := range map[int]string{0: "pending", 1: "pending"} {
		if _, _, err := claim(t, h, fmt.Sprintf("new-%d", n), k2); err == nil || err.Error() != want {
			t.Errorf("unknown key: %v", err)
		}
	}
	if _, _, err := claim(t, h, "new-3", k2); err == nil || err.Error() != "full" {
		t.Errorf("one unknown key too many: %v", err)
	}
	who, s, err := claim(t, h, "cpe-1", k)
	if err != nil {
		t.Fatal(err)
	}
	nonce := salt.NewNonce()
	for what, load := range map[string]msgpack.Map{
		"another's pillar":   append(msgpack.KV("id", "cpe-2"), who.PillarLoad(msgpack.Map{}).Without("id")...),
		"unknown command":    msgpack.KV("cmd", "wheel"),
		"publish":            msgpack.KV("cmd", "minion_pub", "fun", "test.ping", "tgt", "*"),
		"path up":            salt.ServeLoad("../../etc/shadow", "base", 0),
		"absolute path":      salt.HashLoad("/etc/shadow", "base"),
		"path through a dot": salt.HashLoad("a/./b", "base"),
		"negative place":     salt.ServeLoad("fw.bin", "base", -1),
	} {
		sealed, err := who.Seal(s, load, nonce, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if what == "another's pillar" { // Seal puts our own id over it: seal by hand
			env := msgpack.KV("cmd", "_pillar", "id", "cpe-2", "grains", msgpack.Map{}, "nonce", nonce)
			raw, _ := msgpack.Encode([]byte("pickle::"), env)
			c, _ := s.Private.Encrypt(rand.Reader, raw)
			sealed, _ = msgpack.Marshal(msgpack.KV("enc", "aes", "load", c, "version", 3, "id", "cpe-1"))
		}
		if got := ask(t, h, sealed); got != "\xa8bad load" {
			t.Errorf("%s: %.60q", what, got)
		}
	}
	sealed, _ := who.Seal(s, who.PillarLoad(msgpack.Map{}), nonce, time.Now())
	if p, err := who.OpenPillar(s, []byte(ask(t, h, sealed)), nonce); err != nil || p.Text("secret") != "of cpe-1" {
		t.Errorf("one's own pillar: %v, %v", p, err)
	}
	for what, raw := range map[string]string{"nothing": "", "no map": "\xc0", "other cmd in clear": "\x82\xa3enc\xa5clear\xa4load\x81\xa3cmd\xa4ping", "not sealed": "\x82\xa3enc\xa3aes\xa4load\xa1x"} {
		if got := ask(t, h, []byte(raw)); got != "\xa8bad load" {
			t.Errorf("%s: %q", what, got)
		}
	}
	if got := ask(t, h, make([]byte, 17<<10)); got != "" {
		t.Errorf("a large request of a stranger was answered: %.60q", got)
	}
	if n := h.log.count("frame larger than allowed"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// 1,000 connections on each port that say nothing, stop within the greeting, or
// greet and never prove anything. They come from another address than the box.
func TestHalfOpen(t *testing.T) {
	mk, k, _ := keys(t)
	h := newHub(t, mk, accepted(t, map[string]*crypt.Private{"cpe-1": k}), "127.0.0.1:0", "127.0.0.1:0", master.Limits{HalfOpen: 100, Conns: 200, Handshake: patience})
	b := newBox(t, h, "cpe-1", k, &pin{})
	b.await(t, minion.Ready)
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	for socket, l := range map[string]net.Listener{zmtp.REQ: h.req, zmtp.SUB: h.pub} {
		for n := range 1000 {
			c, err := from.DialContext(t.Context(), "tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			switch n % 3 {
			case 0:
				c.Write([]byte("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03"))
			case 1:
				if z, err := zmtp.Handshake(c, zmtp.Options{Socket: socket, Max: 1000, Timeout: patience}); err != nil {
					t.Fatal(err)
				} else if socket == zmtp.SUB {
					z.Subscribe("")
				}
			}
		}
	}
	if got := h.run(master.Job{Fun: "test.ping", Target: "*"}).Load.Get("return"); got != true {
		t.Errorf("test.ping: %v", got)
	}
	if _, _, err := claim(t, h, "cpe-1", k); err != nil { // a new connection gets in too
		t.Error(err)
	}
	if n := h.Refused()["connection to requests"] + h.Refused()["connection to publications"]; n > 0 {
		t.Errorf("%d connections found the port full", n)
	}
	for _, port := range []string{"requests", "publications"} {
		if n := h.log.count("what=\"half-open connection to " + port); n != 1 {
			t.Errorf("%s: half-open connections logged %d times", port, n)
		}
		gone := func() int { return h.Refused()["half-open connection to "+port] }
		until(t, port+" to accept what waits", func() bool { return gone() >= 890 })
		if n := gone(); n > 1000 {
			t.Errorf("%s: %d half-open connections gave way", port, n)
		}
	}
}

// A subscriber that does not read is cut off; the others go on.
func TestSlowSubscriber(t *testing.T) {
	mk, k, _ := keys(t)
	h := newHub(t, mk, accepted(t, map[string]*crypt.Private{"cpe-1": k}), "127.0.0.1:0", "127.0.0.1:0", master.Limits{Queue: 2})
	newBox(t, h, "cpe-1", k, &pin{}).await(t, minion.Ready)
	c, err := net.Dial("tcp", h.pub.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	z, err := zmtp.Handshake(c, zmtp.Options{Socket: zmtp.SUB, Max: 100})
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Subscribe(""); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for cut := false; !cut; cut = h.Refused()["subscriber"] > 0 {
		if time.Now().After(deadline) {
			t.Fatal("never cut off")
		}
		if got := h.run(master.Job{Fun: "test.echo", Args: []any{strings.Repeat("x", 200<<10)}, Target: "cpe-1"}).Load.Get("retcode"); got != int64(0) {
			t.Fatal(got)
		}
	}
}
