package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/client"
	"waymark/mgmt/uplink/server"
	"waymark/mgmt/uplink/uplinktest"
)

// logged counts the lines of a log.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), part)
}

func serve(t *testing.T, store *uplinktest.Conductor, limits server.Limits) (*uplinktest.Running, *logged) {
	t.Helper()
	log := &logged{}
	return uplinktest.Start(t, "", server.Config{Conductor: store, Limits: limits, Log: slog.New(slog.NewTextHandler(log, nil))}), log
}

// greet is a stranger's way in: SSH, channel, and whatever bytes it says.
func greet(t *testing.T, addr, user string, key ssh.Signer, say []byte) (ssh.Conn, ssh.Channel, error) {
	t.Helper()
	raw, err := client.Dialer().Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn, chans, reqs, err := ssh.NewClientConn(raw, addr, &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey()}) // a stranger does not care
	if err != nil {
		raw.Close()
		return nil, nil, err
	}
	t.Cleanup(func() { conn.Close() })
	go ssh.DiscardRequests(reqs)
	go func() {
		for n := range chans {
			_ = n.Reject(ssh.Prohibited, "no")
		}
	}()
	ch, more, err := conn.OpenChannel(uplink.ChannelControl, nil)
	if err != nil {
		return conn, nil, err
	}
	go ssh.DiscardRequests(more)
	_, err = ch.Write(say)
	return conn, ch, err
}

func hello(t *testing.T) []byte {
	t.Helper()
	b, err := uplink.AppendFrame(nil, &uplink.Hello{Version: 1, Keepalive: 5}, uplink.MaxHello)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ends waits for a connection to be closed by the server.
func ends(t *testing.T, what string, c ssh.Conn) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		_ = c.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Errorf("%s: the connection stays", what)
	}
}

// 1,000 connections that say nothing hold up nobody, and go.
func TestHalfOpen(t *testing.T) {
	store := uplinktest.New("box1")
	s, log := serve(t, store, server.Limits{Greeting: 5 * time.Second})
	var half []net.Conn
	for range 1000 {
		c, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		half = append(half, c)
		defer c.Close()
	}
	_, ch, err := greet(t, s.Addr, "box1", uplinktest.Key(t), hello(t))
	if err != nil {
		t.Fatal(err)
	}
	f, err := uplink.ReadFrame(ch, uplink.MaxFrame)
	var w uplink.Welcome
	if err == nil {
		err = f.Into(&w)
	}
	if err != nil || w.State != uplink.StateAccepted {
		t.Fatalf("a box among them: %+v, %v", w, err)
	}
	for i, c := range half {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatalf("connection %d stays", i)
		}
	}
	if n := s.Refused()["half-open connection to boxes"]; n < 1000-256-1 {
		t.Errorf("%d gave way", n)
	}
	if n := log.count("uplink: refused"); n > 4 {
		t.Errorf("%d lines of log", n)
	}
	if _, err := store.Box(t.Context(), "box1"); err != nil {
		t.Error(err)
	}
}

// Whoever does not keep to the protocol goes, and the others stay.
func TestStrangers(t *testing.T) {
	store := uplinktest.New("box1")
	s, _ := serve(t, store, server.Limits{Pending: 2})
	good, ch, err := greet(t, s.Addr, "box1", uplinktest.Key(t), hello(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := uplink.ReadFrame(ch, uplink.MaxFrame); err != nil {
		t.Fatal(err)
	}
	giant := binary.BigEndian.AppendUint32(nil, 1<<31)
	for what, say := range map[string][]byte{
		"announces a giant": giant, "says no JSON": {0, 0, 0, 2, byte(uplink.KindHello), '!'},
		"greets with an event": {0, 0, 0, 3, byte(uplink.KindEvents), '{', '}'}, "greets emptily": {0, 0, 0, 0},
	} {
		c, _, err := greet(t, s.Addr, "box2", uplinktest.Key(t), say)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		ends(t, what, c)
	}
	// A box that is pending can open nothing.
	pending, ch, err := greet(t, s.Addr, "box3", uplinktest.Key(t), hello(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := uplink.ReadFrame(ch, uplink.MaxFrame); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{uplink.ChannelReports, uplink.ChannelSalt, "session", "direct-tcpip"} {
		if _, _, err := pending.OpenChannel(kind, nil); err == nil {
			t.Errorf("a pending box has %s", kind)
		}
	}
	// An accepted one only what there is; and what it was not asked ends it.
	for _, kind := range []string{"session", "direct-tcpip", uplink.ChannelShell, uplink.ChannelControl} {
		if _, _, err := good.OpenChannel(kind, nil); err == nil {
			t.Errorf("a box has %s", kind)
		}
	}
	wrong := map[string]ssh.Signer{"../etc": uplinktest.Key(t), "": uplinktest.Key(t), "box4": rsaKey(t)}
	for user, key := range wrong {
		if _, _, err := greet(t, s.Addr, user, key, nil); err == nil {
			t.Errorf("%q with a key of type %s is let in", user, key.PublicKey().Type())
		}
	}
	// There is room for two that wait.
	for i, want := range []uplink.State{uplink.StatePending, uplink.StateBusy} {
		_, ch, err := greet(t, s.Addr, "box5"+string(rune('a'+i)), uplinktest.Key(t), hello(t))
		if err != nil {
			t.Fatal(err)
		}
		var w uplink.Welcome
		f, err := uplink.ReadFrame(ch, uplink.MaxFrame)
		if err == nil {
			err = f.Into(&w)
		}
		if err != nil || w.State != want {
			t.Errorf("stranger %d: %+v, %v", i, w, err)
		}
	}
	if box := s.Box("box1"); box == nil {
		t.Error("the good one is gone")
	}
}

func rsaKey(t *testing.T) ssh.Signer {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A box that answers nothing is given up, and its successor is let in.
func TestMuteBox(t *testing.T) {
	store := uplinktest.New("box1")
	s, _ := serve(t, store, server.Limits{Answer: time.Second})
	key := uplinktest.Key(t)
	mute, _, err := greet(t, s.Addr, "box1", key, hello(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	box, err := store.Box(ctx, "box1")
	if err != nil {
		t.Fatal(err)
	}
	if err := box.SendBook(ctx, &uplink.Book{}); err == nil {
		t.Error("a mute box takes a book")
	}
	ends(t, "mute box", mute)
	<-box.Done()
	// A second connection of the same key takes the place of the first.
	first, _, err := greet(t, s.Addr, "box1", key, hello(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Box(ctx, "box1"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := greet(t, s.Addr, "box1", key, hello(t)); err != nil {
		t.Fatal(err)
	}
	ends(t, "the one before", first)
	if err := store.Await(ctx, "box1", func(a *uplinktest.Asset) bool { return a.Attached == 3 }); err != nil {
		t.Error(err)
	}
}
