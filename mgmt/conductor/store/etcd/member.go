package etcd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Of the member in this process.
const (
	startWithin = 60 * time.Second
	quota       = 4 << 30 // bytes of its file
	history     = "5m"    // how long old values of keys are kept
	maxSocket   = 100     // bytes of a socket's path; the kernel takes 107
)

// Start runs a member by itself in this process, its data in dir. Nobody else
// reaches it: it listens on sockets in dir alone.
func Start(ctx context.Context, dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("start store: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start store: %w", err)
	}
	client, peer := filepath.Join(dir, "client.sock"), filepath.Join(dir, "peer.sock")
	if len(client) > maxSocket {
		return nil, fmt.Errorf("start store: path %s is too long for a socket", dir)
	}
	return StartMember(ctx, Member{Name: "conductor", Dir: dir, Client: "unix://" + client, Peer: "unix://" + peer})
}

// Member is one member of a cluster.
type Member struct {
	Name, Dir    string
	Client, Peer string // URLs that it listens on
	Cluster      string // NAME=URL,… of all members; "" is this one alone
	// TLS is the member's certificate for https, and the authority whose clients
	// it serves; zero: anybody's.
	TLS TLS
}

// StartMember runs one member in this process and waits until it is ready.
func StartMember(ctx context.Context, m Member) (*Store, error) {
	cfg, err := m.config()
	if err != nil {
		return nil, fmt.Errorf("start store: %w", err)
	}
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, fmt.Errorf("start store: %w", err)
	}
	late := time.NewTimer(startWithin)
	defer late.Stop()
	select {
	case <-e.Server.ReadyNotify():
		s := newStore(v3client.New(e.Server))
		s.close = e.Close
		return s, nil
	case err = <-e.Err():
	case <-late.C:
		err = errors.New("it is not ready in time")
	case <-ctx.Done():
		err = ctx.Err()
	}
	e.Server.HardStop()
	e.Close()
	return nil, fmt.Errorf("start store: %w", err)
}

func (m *Member) config() (*embed.Config, error) {
	client, err := url.Parse(m.Client)
	if err != nil {
		return nil, err
	}
	peer, err := url.Parse(m.Peer)
	if err != nil {
		return nil, err
	}
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir = m.Name, filepath.Join(m.Dir, "data")
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	cfg.InitialCluster = m.Cluster
	if m.Cluster == "" {
		cfg.InitialCluster = m.Name + "=" + m.Peer
	}
	if m.TLS != (TLS{}) {
		i := &cfg.ClientTLSInfo
		i.CertFile, i.KeyFile, i.TrustedCAFile, i.ClientCertAuth = m.TLS.Cert, m.TLS.Key, m.TLS.CA, m.TLS.CA != ""
	}
	cfg.QuotaBackendBytes = quota
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModePeriodic, history
	cfg.TickMs, cfg.ElectionMs = 100, 1000
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(quiet())
	return cfg, nil
}

// quiet logs what is an error for etcd, to standard error.
func quiet() *zap.Logger {
	enc := zapcore.NewConsoleEncoder(zap.NewProductionEncoderConfig())
	return zap.New(zapcore.NewCore(enc, zapcore.Lock(os.Stderr), zapcore.ErrorLevel))
}
