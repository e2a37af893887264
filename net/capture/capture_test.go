package capture_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waymark/net/capture"
)

// frame is an Ethernet frame of an EtherType.
func frame(t testing.TB, rest string) []byte {
	t.Helper()
	b, err := hex.DecodeString("020000000001020000000002" + strings.ReplaceAll(rest, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	syn   = "0800 450000280001000040060000 c0a8010a 0a140005 1f90 0050 00000000 00000000 5002 ffff 00000000"
	dns6  = "86dd 6000000000081140 fd000001000000000000000000000010 fd000020000000000000000000000005 d431 0035 0008 0000"
	ping  = "0800 4500001c00010000400100000a1400050a140006 0800 f7ff 0000 0000"
	arp   = "0806 0001080006040001 020000000002 c0a80101 000000000000 c0a8010a"
	tag7  = "8100 0007 " + ping
	pppoe = "8864 11000001001e0021 4500001c000100004001000064400a0a08080808 0800 f7ff 0000 0000"
	piece = "0800 4500001c00010010 40110000 0a1400050a140006 00350035"
)

func TestLineAndFilter(t *testing.T) {
	for _, tc := range []struct {
		frame, line string
		fits, not   []string
	}{
		{syn, "IPv4 192.168.1.10:8080 > 10.20.0.5:80 tcp syn", []string{"", "ip", "tcp", "port 80", "port 8080", "host 10.20.0.5", "net 192.168.0.0/16 and port 80", "not udp"},
			[]string{"udp", "arp", "ip6", "port 81", "host 10.20.0.6", "not tcp", "tcp vlan 1", "net 172.16.0.0/12"}},
		{dns6, "IPv6 [fd00:1::10]:54321 > [fd00:20::5]:53 udp", []string{"ip6", "udp port 53", "host fd00:20::5"}, []string{"ip", "tcp"}},
		{ping, "IPv4 10.20.0.5 > 10.20.0.6 icmp type 8", []string{"icmp", "not port 80"}, []string{"tcp", "vlan 7"}},
		{arp, "ARP 192.168.1.1 > 192.168.1.10", []string{"arp", "host 192.168.1.1"}, []string{"ip"}},
		{tag7, "IPv4 vlan 7 10.20.0.5 > 10.20.0.6 icmp type 8", []string{"vlan 7 icmp"}, []string{"vlan 8"}},
		{pppoe, "IPv4 100.64.10.10 > 8.8.8.8 icmp type 8", []string{"icmp", "host 8.8.8.8"}, nil},
		{piece, "IPv4 10.20.0.5 > 10.20.0.6 udp", []string{"udp"}, []string{"port 53"}},
		{"88cc", "0x88cc", []string{"not ip"}, []string{"ip"}},
		{"", "", []string{""}, []string{"ip"}},
	} {
		f := frame(t, tc.frame)
		if got := capture.Line(f); got != tc.line {
			t.Errorf("%q, want %q", got, tc.line)
		}
		for _, list := range [][]string{tc.fits, tc.not} {
			for _, words := range list {
				filter, err := capture.ParseFilter(strings.Fields(words))
				if err != nil {
					t.Fatal(err)
				}
				if got := filter.Fits(f); got != (len(list) > 0 && &list[0] == &tc.fits[0]) {
					t.Errorf("%s fits %q: %v", tc.line, words, got)
				}
			}
		}
	}
	for _, words := range []string{"tpc", "port", "port x", "port 70000", "host a", "net 10.0.0.0", "not", "vlan 5000", strings.Repeat("tcp ", 17)} {
		if _, err := capture.ParseFilter(strings.Fields(words)); !errors.Is(err, capture.ErrFilter) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

// Others' tools read what is written, and it has an end.
func TestPcap(t *testing.T) {
	var b bytes.Buffer
	w, err := capture.NewWriter(&b, 24+2*(16+54)+10)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC)
	for i, want := range []error{nil, nil, capture.ErrFull} {
		if err := w.Write(at, frame(t, syn), 54); !errors.Is(err, want) {
			t.Errorf("frame %d: %v", i, err)
		}
	}
	name := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tcpdump", "-n", "-tttt", "-r", name).CombinedOutput()
	if err != nil || strings.Count(string(out), "IP 192.168.1.10.8080 > 10.20.0.5.80: Flags [S]") != 2 {
		t.Errorf("tcpdump reads %s, %v", out, err)
	}
}

// FuzzLine holds that no frame does harm.
func FuzzLine(f *testing.F) {
	for _, s := range []string{syn, dns6, ping, arp, tag7, pppoe, piece, "88cc"} {
		f.Add(frame(f, s))
	}
	filter, err := capture.ParseFilter([]string{"host", "10.20.0.5", "port", "80"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for n := range len(b) {
			capture.Line(b[:n])
			filter.Fits(b[:n])
		}
	})
}
