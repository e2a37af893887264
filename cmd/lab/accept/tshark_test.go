package accept

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// badSum is tshark's filter for packets whose checksum it verified and refused.
// What an ICMP error quotes is left out: with offloads on, the server's kernel
// quotes a packet whose checksum was never completed. So is a TCP checksum of
// 0xffff, the other zero: a receiver's sum comes out the same (RFC 1624 3), but
// tshark would have 0.
const badSum = `icmp.checksum.status == "Bad" || (!icmp && (ip.checksum.status == "Bad" || ` +
	`(tcp.checksum.status == "Bad" && tcp.checksum != 0xffff) || udp.checksum.status == "Bad"))`

// goodSum matches packets whose L4 checksum tshark verified and found right.
const goodSum = `tcp.checksum.status == "Good" || tcp.checksum == 0xffff || udp.checksum.status == "Good"`

func TestRow03TsharkFindsEveryChecksumGood(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	tr := newTour(s)
	links := [][]*outer{dissect(t, tr.branchLink), dissect(t, tr.hubLink)}
	for i, file := range tr.files {
		if bad := tshark(t, file, badSum); len(bad) > 0 {
			t.Errorf("%d packets with a bad checksum:\n%s", len(bad), strings.Join(bad, "\n"))
		}
		const ours = " && ip.addr == " + branchWAN + " && ip.addr == " + hubWAN + " && !icmp && !(udp.port == 1280)" // BFD
		got, want := len(tshark(t, file, "("+goodSum+")"+ours)), len(svr(links[i]))
		if got != want || want == 0 {
			t.Errorf("%s: tshark verified %d SVR packets, the capture has %d", file, got, want)
		}
		t.Logf("tshark verified %d of %d SVR packets, none bad", got, want)
	}
	if t.Failed() {
		keepCapture(t, tr.files)
	}
}

// tshark returns a line per packet of the file that the display filter matches.
func tshark(t *testing.T, file, filter string) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "tshark", "-n", "-r", file,
		"-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
		"-Y", filter)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.String())
	}
	for _, line := range strings.Split(string(out), "\n") {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
