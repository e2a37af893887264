// Package etcd is the conductors' store: a member of etcd in this process, or
// a cluster of others. It alone links etcd.
package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"waymark/mgmt/conductor/store"
)

// root is before every key, so that a cluster can serve others too.
const root = "/waymark/conductor/"

// Timing.
const (
	within    = 10 * time.Second // one request
	livingTTL = 10               // seconds that living keys outlive their process
	again     = 500 * time.Millisecond
)

// Store is a client of etcd. It implements store.Backend.
type Store struct {
	c     *clientv3.Client
	close func()

	mu    sync.Mutex // guards lease
	lease clientv3.LeaseID
	stop  context.CancelFunc
}

// Dial connects to a cluster by the URLs of its members, https ones as t says. It
// fails if none answers.
func Dial(ctx context.Context, urls []string, t TLS) (*Store, error) {
	var secure *tls.Config // nil: etcd's own, for https
	if t != (TLS{}) {
		var err error
		if secure, err = t.Config(); err != nil {
			return nil, err
		}
	}
	c, err := clientv3.New(clientv3.Config{
		Endpoints: urls, DialTimeout: within, DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 5 * time.Second,
		Logger: quiet(), RejectOldCluster: false, TLS: secure,
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd: %w", err)
	}
	s := newStore(c)
	if _, err := s.Get(ctx, "hello"); err != nil {
		s.Close()
		return nil, fmt.Errorf("connect to etcd at %s: %w", strings.Join(urls, ","), err)
	}
	return s, nil
}

func newStore(c *clientv3.Client) *Store {
	ctx, stop := context.WithCancel(context.Background())
	s := &Store{c: c, stop: stop}
	go s.keepAlive(ctx)
	return s
}

// Close ends the connection, or the member in this process. Living keys go away.
func (s *Store) Close() {
	s.mu.Lock()
	lease := s.lease
	s.mu.Unlock()
	if lease != 0 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, _ = s.c.Revoke(ctx, lease) // it would end by itself
		cancel()
	}
	s.stop()
	_ = s.c.Close() // nothing is under way
	if s.close != nil {
		s.close()
	}
}

// Get implements store.Backend.
func (s *Store) Get(ctx context.Context, key string) (store.Item, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r, err := s.c.Get(ctx, root+key)
	if err != nil {
		return store.Item{}, fmt.Errorf("read %s of the store: %w", key, err)
	}
	if len(r.Kvs) == 0 {
		return store.Item{Key: key}, nil
	}
	return store.Item{Key: key, Value: r.Kvs[0].Value, Revision: r.Kvs[0].ModRevision}, nil
}

// page is how many keys one request lists: values are up to a megabyte.
const page = 256

// List implements store.Backend: pages, all of one revision.
func (s *Store) List(ctx context.Context, prefix string, limit int) ([]store.Item, error) {
	var all []store.Item
	from, end, revision := root+prefix, clientv3.GetPrefixRangeEnd(root+prefix), int64(0)
	for {
		n := page
		if limit > 0 {
			n = min(page, limit-len(all))
		}
		r, err := s.list(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(int64(n)), clientv3.WithRev(revision))
		if err != nil {
			return nil, fmt.Errorf("list %s of the store: %w", prefix, err)
		}
		for _, kv := range r.Kvs {
			all = append(all, store.Item{Key: strings.TrimPrefix(string(kv.Key), root), Value: kv.Value, Revision: kv.ModRevision})
		}
		if !r.More || limit > 0 && len(all) >= limit {
			return all, nil
		}
		from, revision = string(r.Kvs[len(r.Kvs)-1].Key)+"\x00", r.Header.Revision
	}
}

func (s *Store) list(ctx context.Context, from string, o ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return s.c.Get(ctx, from, o...)
}

var errNoLease = errors.New("store does not answer yet")

// Commit implements store.Backend.
func (s *Store) Commit(ctx context.Context, seen map[string]int64, writes []store.Write) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var conds []clientv3.Cmp
	for key, revision := range seen {
		conds = append(conds, clientv3.Compare(clientv3.ModRevision(root+key), "=", revision))
	}
	var ops []clientv3.Op
	for _, w := range writes {
		switch {
		case w.Value == nil:
			ops = append(ops, clientv3.OpDelete(root+w.Key))
		case w.Living:
			s.mu.Lock()
			lease := s.lease
			s.mu.Unlock()
			if lease == 0 {
				return false, errNoLease
			}
			ops = append(ops, clientv3.OpPut(root+w.Key, string(w.Value), clientv3.WithLease(lease)))
		default:
			ops = append(ops, clientv3.OpPut(root+w.Key, string(w.Value)))
		}
	}
	r, err := s.c.Txn(ctx).If(conds...).Then(ops...).Commit()
	if err != nil {
		return false, fmt.Errorf("write to the store: %w", err)
	}
	return r.Succeeded, nil
}

// Watch implements store.Backend.
func (s *Store) Watch(ctx context.Context, prefix string, changed func(key string)) error {
	for ctx.Err() == nil {
		s.watchOnce(ctx, prefix, changed)
		sleep(ctx, again)
	}
	return nil
}

// watchOnce watches until changes may be missed.
func (s *Store) watchOnce(ctx context.Context, prefix string, changed func(key string)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for r := range s.c.Watch(clientv3.WithRequireLeader(ctx), root+prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify()) {
		if r.Err() != nil {
			return
		}
		if r.Created {
			changed("")
		}
		for _, e := range r.Events {
			changed(strings.TrimPrefix(string(e.Kv.Key), root))
		}
	}
}

// keepAlive holds a lease for living keys, and gets another when one is lost.
func (s *Store) keepAlive(ctx context.Context) {
	for ctx.Err() == nil {
		s.holdLease(ctx)
		s.mu.Lock()
		s.lease = 0
		s.mu.Unlock()
		sleep(ctx, again)
	}
}

func (s *Store) holdLease(ctx context.Context) {
	g, err := s.c.Grant(ctx, livingTTL)
	if err != nil {
		return
	}
	alive, err := s.c.KeepAlive(ctx, g.ID)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.lease = g.ID
	s.mu.Unlock()
	for range alive { // ends with the lease
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
