package conductor_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/agent"
	"waymark/mgmt/conductor"
	"waymark/mgmt/conductor/command"
	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/zmtp"
	"waymark/mgmt/uplink"
)

// hostile is whoever attacks a conductor, from an address of loopback that
// nobody else has.
type hostile struct {
	*testing.T
	s    *conductor.Settings
	addr string
	own  *simulated // the box that all goes on for
	// key is a Salt key that no box has told of; thief is the key of a minion
	// that is accepted, cpe-1's.
	key, thief *crypt.Private
	signer     ssh.Signer    // of a box that nobody knows
	log        func() string // of the conductor
}

func (h *hostile) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *hostile) dial(address string) net.Conn {
	h.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(h.addr)}, Timeout: 10 * time.Second}
	c, err := d.DialContext(h.Context(), "tcp", address)
	h.must(err)
	h.Cleanup(func() { c.Close() })
	return c
}

// publications is the port below that of requests.
func publications(s *conductor.Settings) string {
	host, port, _ := net.SplitHostPort(s.Salt)
	n := 0
	fmt.Sscan(port, &n)
	return net.JoinHostPort(host, fmt.Sprint(n-1))
}

// greets shakes hands as a box and says bytes on the control channel; it returns
// what the conductor welcomes it with, or the error that ends it.
func (h *hostile) greets(user string, key ssh.Signer, say []byte) (w uplink.Welcome, err error) {
	raw := h.dial(h.s.Listen)
	conn, chans, reqs, err := ssh.NewClientConn(raw, h.s.Listen, &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey()}) // a stranger does not care
	if err != nil {
		return w, err
	}
	gone := uplink.Gone(conn)
	go ssh.DiscardRequests(reqs)
	go func() {
		for n := range chans {
			_ = n.Reject(ssh.Prohibited, "no")
		}
	}()
	ch, more, err := uplink.Open(conn, gone, uplink.ChannelControl, nil)
	if err != nil {
		return w, err
	}
	go ssh.DiscardRequests(more)
	if _, err := ch.Write(say); err != nil {
		return w, err
	}
	f, err := uplink.ReadFrame(ch, uplink.MaxFrame)
	if err != nil {
		return w, err
	}
	if err := f.Into(&w); err != nil {
		return w, err
	}
	for _, kind := range []string{uplink.ChannelReports, uplink.ChannelSalt, "session", "direct-tcpip"} {
		if _, _, err := uplink.Open(conn, gone, kind, []byte(`{"port": 4506}`)); err == nil && w.State != uplink.StateAccepted {
			h.Errorf("%s, who is %s, has %s", user, w.State, kind)
		}
	}
	return w, nil
}

func hello(keepalive int) []byte {
	b, _ := uplink.AppendFrame(nil, &uplink.Hello{Version: uplink.Version, Keepalive: keepalive}, uplink.MaxHello) // its types always encode
	return b
}

// asks sends a payload to the Salt master and returns the answer; "": none.
func (h *hostile) asks(payload []byte) string {
	z, err := zmtp.Handshake(h.dial(h.s.Salt), zmtp.Options{Socket: zmtp.REQ, Max: 1 << 20, Timeout: 30 * time.Second})
	h.must(err)
	if err := z.WriteMessage(nil, payload); err != nil {
		return ""
	}
	m, err := z.ReadMessage()
	if err != nil || len(m.Parts) != 2 {
		return ""
	}
	return string(m.Parts[1])
}

// claims asks the Salt master for acceptance.
func (h *hostile) claims(id string, k *crypt.Private) (*salt.Identity, *salt.Session, error) {
	who, err := salt.NewIdentity(id, k, salt.SHA1, rand.Reader)
	h.must(err)
	c, err := who.Claim(salt.NewNonce(), nil)
	h.must(err)
	state, s, err := who.OpenAuth(c, []byte(h.asks(c.Payload)), nil)
	if err == nil && state != salt.Accepted {
		err = errors.New(state.String())
	}
	return who, s, err
}

// sealed has the minion that is accepted ask for what is not its.
func (h *hostile) sealed(load msgpack.Map) {
	h.Helper()
	who, s, err := h.claims("cpe-1", h.thief)
	h.must(err)
	raw, err := who.Seal(s, load, salt.NewNonce(), time.Now())
	h.must(err)
	if got := h.asks(raw); got != "\xa8bad load" {
		h.Errorf("%v is answered %.60q", load, got)
	}
}

// foreignPillar asks for another's pillar, in the load and in the envelope.
func (h *hostile) foreignPillar() {
	h.Helper()
	who, s, err := h.claims("cpe-1", h.thief)
	h.must(err)
	load := who.PillarLoad(msgpack.Map{})
	load.Set("id", "cpe-0")
	plain, err := msgpack.Encode([]byte("pickle::"), load)
	h.must(err)
	box, err := s.Private.Encrypt(rand.Reader, plain)
	h.must(err)
	for _, id := range []string{"cpe-1", "cpe-0", "hub-0"} {
		raw, err := msgpack.Marshal(msgpack.KV("enc", "aes", "load", box, "version", 3, "id", id))
		h.must(err)
		if got := h.asks(raw); got != "\xa8bad load" {
			h.Errorf("cpe-0's pillar, asked for as %s: %.60q", id, got)
		}
	}
}

// web asks the HTTP API and wants a status.
func (h *hostile) web(method, path, token string, body io.Reader, want int) {
	h.Helper()
	req, err := http.NewRequestWithContext(h.Context(), method, "http://"+h.s.HTTP, body)
	h.must(err)
	req.URL.Opaque = "//" + h.s.HTTP + path // as it is written
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	tr := &http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) { return h.dial(address), nil }}
	defer tr.CloseIdleConnections()
	r, err := tr.RoundTrip(req)
	if err != nil {
		if want != 0 {
			h.Errorf("%s %s: %v", method, path, err)
		}
		return
	}
	defer r.Body.Close()
	if text, err := io.ReadAll(r.Body); r.StatusCode != want {
		h.Errorf("%s %s: %d, want %d: %.200s, %v", method, path, r.StatusCode, want, text, err)
	}
}

func (h *hostile) token() string {
	b, err := os.ReadFile(filepath.Join(h.s.Dir, "admin.token"))
	h.must(err)
	return strings.TrimSpace(string(b))
}

// half opens a thousand connections and leaves them; every third says something
// first.
func (h *hostile) half(address string, say []byte) {
	h.Helper()
	for i := range 1000 {
		c := h.dial(address)
		if i%3 == 0 {
			_, _ = c.Write(say) // a closed connection is an answer too
		}
	}
}

// runs a command of the conductor's command line.
func (h *hostile) runs(words ...string) (string, error) {
	var out bytes.Buffer
	in, err := os.Open(os.DevNull)
	h.must(err)
	defer in.Close()
	err = command.Run(h.Context(), h.s.Dir, words, false, in, &out)
	return out.String(), err
}

// boxWithLogs runs an agent with a few logs, and files that are none.
func boxWithLogs(t *testing.T, s *conductor.Settings, id string) {
	t.Helper()
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	for name, text := range map[string]string{"secret.log": "secret", "run/true.log": "a line\n", "run/secret.txt": "secret", "run/log/router.log": "another"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "secret.log"), filepath.Join(run, "link.log")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		err := agent.Run(ctx, agent.Settings{RunDir: run, StateDir: filepath.Join(dir, "state"), AssetID: id,
			Conductors: []string{s.Listen}, NoSalt: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
}
