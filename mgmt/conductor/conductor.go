// Package conductor is the management server: it puts together the store, the
// registry on it, and the four doors to it: boxes (SSH on 930/TCP), Salt
// minions, the HTTP API and the command line.
package conductor

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/conductor/command"
	"waymark/mgmt/conductor/minions"
	"waymark/mgmt/conductor/registry"
	"waymark/mgmt/conductor/serve"
	"waymark/mgmt/conductor/store/etcd"
	"waymark/mgmt/conductor/web"
	"waymark/mgmt/file"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/master"
	"waymark/mgmt/uplink/server"
)

// Run serves until ctx ends.
func Run(ctx context.Context, s Settings) error {
	if err := s.Check(); err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("start conductor: %w", err)
	}
	held, err := lock(s.Dir)
	if err != nil {
		return fmt.Errorf("start conductor: %w", err)
	}
	defer held.Close()
	if s.Name == "" {
		s.Name, _ = os.Hostname() // without one it has no name, which is one too
	}
	st, err := openStore(ctx, &s)
	if err != nil {
		return err
	}
	defer st.Close()
	c := &conductor{Settings: s, g: &registry.Registry{Store: st, MaxEvents: s.MaxEvents, Log: s.Log}}
	if err := c.firstConfig(ctx); err != nil {
		return err
	}
	if err := c.makeKeys(ctx); err != nil {
		return err
	}
	return c.run(ctx)
}

func openStore(ctx context.Context, s *Settings) (*etcd.Store, error) {
	if len(s.Etcd) > 0 {
		return etcd.Dial(ctx, s.Etcd, s.EtcdTLS)
	}
	return etcd.Start(ctx, filepath.Join(s.Dir, "etcd"))
}

// conductor is one that is being started or runs.
type conductor struct {
	Settings
	g     *registry.Registry
	host  ssh.Signer
	salt  *crypt.Private
	token string
}

// firstConfig commits the file of the settings if nothing was committed yet.
func (c *conductor) firstConfig(ctx context.Context) error {
	v, err := c.g.Running(ctx)
	if err != nil || v.Number > 0 || c.Config == "" {
		return err
	}
	data, err := os.ReadFile(c.Config)
	if err != nil {
		return fmt.Errorf("read first configuration: %w", err)
	}
	if _, _, err := c.g.LoadConfig(ctx, data, "start"); err != nil {
		return err
	}
	_, _, err = c.g.Commit(ctx, "", "start")
	return err
}

// makeKeys reads the keys that all conductors of the store share, or makes
// them, and the token of this one.
func (c *conductor) makeKeys(ctx context.Context) error {
	raw, err := c.g.Secret(ctx, "host-key", newHostKey)
	if err != nil {
		return err
	}
	if c.host, err = ssh.ParsePrivateKey(raw); err != nil {
		return fmt.Errorf("read host key: %w", err)
	}
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(c.host.PublicKey()))) + " " + ssh.FingerprintSHA256(c.host.PublicKey()) + "\n"
	if err := file.Replace(filepath.Join(c.Dir, "host-key.pub"), []byte(public), 0o644); err != nil {
		return err
	}
	raw, err = c.g.Secret(ctx, "salt-key", func() ([]byte, error) {
		k, err := crypt.Generate(2048)
		if err != nil {
			return nil, err
		}
		return k.PEM(), nil
	})
	if err != nil {
		return err
	}
	if c.salt, err = crypt.ParsePrivate(raw); err != nil {
		return fmt.Errorf("read salt key: %w", err)
	}
	c.token, err = ownToken(filepath.Join(c.Dir, "admin.token"))
	return err
}

func newHostKey() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "waymark conductor")
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// ownToken reads the token of the HTTP API or makes one.
func ownToken(name string) (string, error) {
	raw, err := os.ReadFile(name)
	if err == nil {
		token := strings.TrimSpace(string(raw))
		if len(token) < 16 {
			return "", fmt.Errorf("read %s: a token has at least 16 characters", name)
		}
		return token, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read token: %w", err)
	}
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	token := hex.EncodeToString(b)
	return token, file.Replace(name, []byte(token+"\n"), 0o600)
}

// doors are the listeners.
type doors struct{ boxes, requests, publications, http, commands net.Listener }

func (c *conductor) open(ctx context.Context) (d doors, err error) {
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.boxes, err = server.Listen(ctx, c.Listen); err != nil {
		return d, fmt.Errorf("listen for boxes: %w", err)
	}
	if c.Salt != "" {
		if d.requests, d.publications, err = listenSalt(c.Salt); err != nil {
			return d, err
		}
	}
	if c.HTTP != "" {
		if d.http, err = net.Listen("tcp", c.HTTP); err != nil {
			return d, fmt.Errorf("listen for http: %w", err)
		}
	}
	d.commands, err = command.Listen(c.Dir)
	return d, err
}

func (d *doors) close() {
	for _, l := range []net.Listener{d.boxes, d.requests, d.publications, d.http, d.commands} {
		if l != nil {
			l.Close()
		}
	}
}

// listenSalt opens both ports of a Salt master: the one of publications is one
// below.
func listenSalt(addr string) (requests, publications net.Listener, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, fmt.Errorf("listen for minions: %w", err)
	}
	port, _ := strconv.Atoi(text) // Check looked at it
	if requests, err = net.Listen("tcp", addr); err != nil {
		return nil, nil, fmt.Errorf("listen for minions: %w", err)
	}
	if publications, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port-1))); err != nil {
		requests.Close()
		return nil, nil, fmt.Errorf("listen for minions: %w", err)
	}
	return requests, publications, nil
}

// run opens the doors and serves at them until ctx ends or one fails.
func (c *conductor) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d, err := c.open(ctx)
	if err != nil {
		return fmt.Errorf("start conductor: %w", err)
	}
	defer d.close()
	var all sync.WaitGroup
	defer all.Wait()
	guard := func(serve func() error) {
		all.Go(func() {
			if err := serve(); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	towards := &serve.Conductor{Registry: c.g, Name: c.Name, Log: c.Log}
	boxes, err := server.New(server.Config{HostKey: c.host, Name: c.Name, Conductor: towards, Log: c.Log})
	if err != nil {
		cancel(nil)
		return err
	}
	refused := []func() map[string]int{boxes.Refused}
	if d.requests != nil {
		m, err := c.serveSalt(ctx, d, towards, guard)
		if err != nil {
			cancel(nil)
			return err
		}
		refused = append(refused, m.Refused)
	}
	all.Go(func() { towards.Run(ctx, boxes) })
	guard(func() error { return boxes.Serve(ctx, d.boxes) })
	cli := &command.Server{Registry: c.g, Box: boxes.Box, Dir: filepath.Join(c.Dir, "sessions"), Name: c.Name, Log: c.Log}
	guard(func() error { return cli.Serve(ctx, d.commands) })
	if d.http != nil {
		api := &web.API{Registry: c.g, Token: c.token, Log: c.Log}
		refused = append(refused, api.Refused)
		api.Figures = func() map[string]float64 { return figures(towards, refused) }
		guard(func() error { return api.Serve(ctx, d.http) })
	}
	c.Log.Info("conductor", "name", c.Name, "boxes", d.boxes.Addr(), "host-key", ssh.FingerprintSHA256(c.host.PublicKey()))
	if c.Ready != nil {
		c.Ready()
	}
	<-ctx.Done()
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// serveSalt runs the Salt master.
func (c *conductor) serveSalt(ctx context.Context, d doors, towards *serve.Conductor, guard func(func() error)) (*master.Master, error) {
	keys := &minions.Keys{Context: ctx, Registry: c.g}
	m, err := master.New(master.Config{Key: c.salt, Keys: keys, Pillar: keys.Pillar, Log: c.Log})
	if err != nil {
		return nil, fmt.Errorf("start salt master: %w", err)
	}
	towards.SaltMaster = func(ctx context.Context, port int) (net.Conn, error) {
		l := d.requests
		if port == 4505 {
			l = d.publications
		}
		a := l.Addr().(*net.TCPAddr)
		host := a.IP.String()
		if a.IP.IsUnspecified() {
			host = "localhost"
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(a.Port)))
	}
	guard(func() error { return m.Serve(ctx, d.requests, d.publications) })
	guard(func() error { return keys.Run(ctx, m) })
	return m, nil
}

// figures are the metrics of this process; refused counts at each of its doors.
func figures(towards *serve.Conductor, refused []func() map[string]int) map[string]float64 {
	m := map[string]float64{"waymark_boxes_connected": float64(towards.Connected())}
	for _, counts := range refused {
		for kind, n := range counts() {
			m[fmt.Sprintf("waymark_refused_total{what=%q}", kind)] += float64(n)
		}
	}
	return m
}
