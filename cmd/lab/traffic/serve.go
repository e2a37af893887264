package traffic

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Ready is what a server prints once every socket listens.
const Ready = "listening"

// serve runs until it is killed: web servers, sinks and UDP responders.
func serve(args []string) (any, error) {
	flags := flag.NewFlagSet("_serve", flag.ContinueOnError)
	web := flags.String("web", "", "addresses of web servers, by comma")
	sink := flags.String("sink", "", "addresses of TCP sinks that answer with bytes and SHA-256")
	udp := flags.String("udp", "", "addresses that answer datagrams")
	echo := flags.String("echo", "", "addresses of TCP servers that send back what comes")
	mark := flags.String("mark", "hello", "text of every page")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	failed := make(chan error)
	type start func(addr string, failed chan<- error) error
	page := func(a string, failed chan<- error) error { return serveWeb(a, *mark, failed) }
	tcp := func(answer func(net.Conn)) start {
		return func(a string, failed chan<- error) error { return serveTCP(a, answer, failed) }
	}
	for _, s := range []struct {
		list  string
		start start
	}{{*web, page}, {*sink, tcp(drain)}, {*udp, serveUDP}, {*echo, tcp(sendBack)}} {
		for _, addr := range strings.FieldsFunc(s.list, func(r rune) bool { return r == ',' }) {
			if err := s.start(addr, failed); err != nil {
				return nil, err
			}
		}
	}
	fmt.Fprintln(os.Stdout, Ready)
	return nil, <-failed
}

// serveWeb answers every request with the mark and the address that it came
// from; ?bytes=N adds N bytes of text.
func serveWeb(addr, mark string, failed chan<- error) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	page := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s\nfrom %s\n", mark, r.RemoteAddr)
		if n, err := strconv.Atoi(r.URL.Query().Get("bytes")); err == nil && n > 0 {
			_, _ = io.CopyN(w, textReader{}, int64(n)) // the client hung up: its business
		}
	}
	s := &http.Server{Handler: http.HandlerFunc(page), ReadHeaderTimeout: time.Minute}
	go func() { failed <- s.Serve(l) }()
	return nil
}

// textReader never ends.
type textReader struct{}

// Read fills b with letters.
func (textReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return len(b), nil
}

// serveTCP answers every connection.
func serveTCP(addr string, answer func(net.Conn), failed chan<- error) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				failed <- err
				return
			}
			go answer(c)
		}
	}()
	return nil
}

// sendBack answers with what comes; the client tells how it went.
func sendBack(c net.Conn) {
	defer c.Close()
	_, _ = io.Copy(c, c)
}

// drain reads until the client closes its side, then says what arrived.
func drain(c net.Conn) {
	defer c.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, struct{ io.Reader }{c}, make([]byte, 1<<20))
	if err != nil {
		fmt.Fprintf(os.Stderr, "sink: after %d bytes: %v\n", n, err)
		return
	}
	fmt.Fprintf(c, "%d %s\n", n, hex.EncodeToString(h.Sum(nil)))
}

// serveUDP answers each datagram with "answer to " and its bytes.
func serveUDP(addr string, failed chan<- error) error {
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				failed <- err
				return
			}
			reply := append([]byte("answer to "), buf[:n]...)
			if _, err := c.WriteTo(reply, from); err != nil && !errors.Is(err, net.ErrClosed) {
				fmt.Fprintf(os.Stderr, "udp: %v\n", err) // an ICMP error for an earlier answer
			}
		}
	}()
	return nil
}
