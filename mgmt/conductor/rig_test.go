package conductor_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/conductor"
	"waymark/mgmt/conductor/store/etcd"
)

// asProcess says in the environment what this test's program is to be instead.
const asProcess = "CONDUCTOR_TEST_PROCESS"

// TestMain lets the program be a conductor or a member of etcd, which tests
// kill.
func TestMain(m *testing.M) {
	raw := os.Getenv(asProcess)
	if raw == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, []byte(raw)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process is what such a program is.
type process struct {
	Settings *conductor.Settings
	Member   *etcd.Member
}

func run(ctx context.Context, raw []byte) error {
	var p process
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	ready := func() { fmt.Println("ready") }
	if p.Member != nil {
		s, err := etcd.StartMember(ctx, *p.Member)
		if err != nil {
			return err
		}
		defer s.Close()
		ready()
		<-ctx.Done()
		return nil
	}
	p.Settings.Log, p.Settings.Ready = slog.New(slog.NewTextHandler(os.Stderr, nil)), ready
	return conductor.Run(ctx, *p.Settings)
}

// running is such a program.
type running struct {
	t   *testing.T
	cmd *exec.Cmd
	log string // file of its standard error
}

// start runs a program until it says that it is ready.
func start(t *testing.T, p process, log string) *running {
	t.Helper()
	r := launch(t, p, log)
	r.ready()
	return r
}

// launch starts a program; ready waits for it.
func launch(t *testing.T, p process, log string) *running {
	t.Helper()
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), asProcess+"="+string(raw))
	c.Stderr = f
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t, c, log}
	t.Cleanup(r.kill)
	go func() { io.Copy(&readiness{log + ".ready"}, out) }()
	return r
}

// readiness is a file that is there once the program said something.
type readiness struct{ name string }

func (w *readiness) Write(p []byte) (int, error) { return len(p), os.WriteFile(w.name, p, 0o600) }

func (r *running) ready() {
	r.t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; <-time.After(20 * time.Millisecond) {
		if os.Remove(r.log+".ready") == nil {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("not ready:\n%s", r.output())
		}
	}
}

func (r *running) output() string {
	b, _ := os.ReadFile(r.log)
	return string(b)
}

func (r *running) kill() {
	if r.cmd.ProcessState == nil {
		r.cmd.Process.Kill()
		r.cmd.Wait()
	}
}

// lastPort is the one that ports looked at last.
var lastPort = 20_000 + os.Getpid()%6_000*2

// ports gives n ports that are free, with the one below each. They are none that
// the kernel gives to connections, or one of those could have a port when its
// conductor comes back.
func ports(t *testing.T, n int) []int {
	t.Helper()
	var list []int
	for ; len(list) < n && lastPort < 32_766; lastPort += 2 {
		if free(lastPort+1) && free(lastPort) {
			list = append(list, lastPort+1)
		}
	}
	if len(list) < n {
		t.Fatal("no free ports")
	}
	return list
}

func free(port int) bool {
	l, err := net.Listen("tcp", at(port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func at(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// shortDir is a directory whose path is short enough for etcd's sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "wmc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// settings are those of a conductor on loopback.
func settings(t *testing.T, dir, name string) *conductor.Settings {
	p := ports(t, 3)
	return &conductor.Settings{Dir: filepath.Join(dir, name), Name: name, Listen: at(p[0]), Salt: at(p[1]), HTTP: at(p[2]), MaxEvents: 20000}
}

// api asks the HTTP API and decodes its answer into v, which may be nil.
func api(t *testing.T, s *conductor.Settings, method, path string, body []byte, v any) int {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(s.Dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.HTTP+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	if err == nil && v != nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		t.Fatalf("%s %s: %v\n%.500s", method, path, err, raw)
	}
	return r.StatusCode
}

// fleetConfig is an authority of a hub and n branches that get their addresses
// by DHCP; all have a path to the hub.
func fleetConfig(n int) []byte {
	router := func(name, id, topology string) map[string]any {
		return map[string]any{"name": name, "inter-node-security": "internal", "node": []any{map[string]any{
			"name": "node1", "role": "combo", "asset-id": id,
			"device-interface": []any{map[string]any{"name": "wan", "type": "ethernet", "target-interface": "wan0", "network-interface": []any{map[string]any{
				"name": "wan-if", "dhcp": "v4", "inter-router-security": "internal", "hostname": name + ".example.net",
				"neighborhood": []any{map[string]any{"name": "internet", "topology": topology}},
			}}}},
		}}}
	}
	routers := []any{router("hub", "hub-0", "hub")}
	for i := range n {
		routers = append(routers, router(fmt.Sprintf("branch%d", i), fmt.Sprintf("cpe-%d", i), "spoke"))
	}
	b, err := json.Marshal(map[string]any{"authority": map[string]any{
		"name": "fleet", "security": []any{map[string]any{"name": "internal", "encrypt": false, "hmac-mode": "time-based",
			"hmac-cipher": "sha256-128", "hmac-key": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}}, "router": routers}})
	if err != nil {
		panic(err)
	}
	return b
}

// newSigner is an ed25519 key.
func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rsaKey is a key of a type that boxes do not have.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})
