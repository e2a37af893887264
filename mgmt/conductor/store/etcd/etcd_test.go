package etcd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"waymark/mgmt/conductor/store"
)

// member starts a store in a directory whose path is short enough for sockets.
func member(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "etcd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// backends are the store in this process and the one tests use: both must do
// the same.
func backends(t *testing.T) map[string]store.Backend {
	s := member(t, shortDir(t))
	t.Cleanup(s.Close)
	return map[string]store.Backend{"etcd": s, "memory": &store.Memory{}}
}

func count(tx *store.Tx, key string) error {
	v, err := tx.Get(key)
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(string(v))
	tx.Put(key, []byte(strconv.Itoa(n+1)))
	return nil
}

func TestBackends(t *testing.T) {
	for name, b := range backends(t) {
		t.Run(name, func(t *testing.T) {
			t.Run("transactions", func(t *testing.T) { transactions(t, b) })
			t.Run("bounds", func(t *testing.T) { bounds(t, b) })
			t.Run("list", func(t *testing.T) { list(t, b) })
			t.Run("watch", func(t *testing.T) { watch(t, b) })
		})
	}
}

// transactions: many at once lose nothing, a failed one writes nothing.
func transactions(t *testing.T, b store.Backend) {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10 {
				if err := store.Update(t.Context(), b, func(tx *store.Tx) error { return errors.Join(count(tx, "n/a"), count(tx, "n/b")) }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	boom := errors.New("boom")
	err := store.Update(t.Context(), b, func(tx *store.Tx) error { return errors.Join(count(tx, "n/a"), boom) })
	if !errors.Is(err, boom) {
		t.Error(err)
	}
	for _, key := range []string{"n/a", "n/b"} {
		if it, err := b.Get(t.Context(), key); err != nil || string(it.Value) != "80" {
			t.Errorf("%s is %q, %v", key, it.Value, err)
		}
	}
}

func bounds(t *testing.T, b store.Backend) {
	err := store.Update(t.Context(), b, func(tx *store.Tx) error {
		tx.Put("big", make([]byte, store.MaxValue+1))
		return nil
	})
	if !errors.Is(err, store.ErrTooLarge) {
		t.Error(err)
	}
	if err := store.Update(t.Context(), b, func(tx *store.Tx) error { tx.Put("big", make([]byte, store.MaxValue)); return nil }); err != nil {
		t.Error("what is allowed does not fit:", err)
	}
	err = store.Update(t.Context(), b, func(tx *store.Tx) error {
		for i := range store.MaxOps + 1 {
			tx.Put(fmt.Sprint("many/", i), []byte("x"))
		}
		return nil
	})
	if !errors.Is(err, store.ErrTooLarge) {
		t.Error(err)
	}
}

func list(t *testing.T, b store.Backend) {
	for i := range 6 {
		err := store.Update(t.Context(), b, func(tx *store.Tx) error {
			for j := range 90 {
				tx.Put(store.Path("l", fmt.Sprintf("%03d", 90*i+j)), []byte("x"))
			}
			tx.Put("l", nil)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	all, err := b.List(t.Context(), store.Below("l"), 0)
	if err != nil || len(all) != 540 || all[539].Key != "l/539" {
		t.Errorf("%d keys, %v", len(all), err)
	}
	if some, err := b.List(t.Context(), store.Below("l"), 300); err != nil || len(some) != 300 || some[299].Key != "l/299" {
		t.Errorf("%d keys, %v", len(some), err)
	}
}

func watch(t *testing.T, b store.Backend) {
	ctx, cancel := context.WithCancel(t.Context())
	keys := make(chan string, 64)
	ended := make(chan error)
	go func() { ended <- b.Watch(ctx, "w/", func(key string) { keys <- key }) }()
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-keys:
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing about %q", want)
		}
	}
	expect("")
	for _, v := range []string{"1", "2", ""} {
		err := store.Update(t.Context(), b, func(tx *store.Tx) error {
			tx.Put("v/x", []byte(v))
			if tx.Put("w/x", []byte(v)); v == "" {
				tx.Put("w/x", nil)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		expect("w/x")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// What is written outlives the process, living keys do not.
func TestRestart(t *testing.T) {
	dir := shortDir(t)
	s := member(t, dir)
	put := func(tx *store.Tx) error {
		tx.Put("kept", []byte("1"))
		tx.PutLiving("alive", []byte("1"))
		return nil
	}
	err := store.Update(t.Context(), s, put)
	for errors.Is(err, errNoLease) { // its first moments
		<-time.After(10 * time.Millisecond)
		err = store.Update(t.Context(), s, put)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = member(t, dir)
	defer s.Close()
	for key, want := range map[string]string{"kept": "1", "alive": ""} {
		if it, err := s.Get(t.Context(), key); err != nil || string(it.Value) != want {
			t.Errorf("%s is %q, %v; want %q", key, it.Value, err, want)
		}
	}
}

func TestPathTooLong(t *testing.T) {
	if _, err := Start(t.Context(), "/tmp/"+string(make([]byte, 120))); err == nil {
		t.Error("started")
	}
}
