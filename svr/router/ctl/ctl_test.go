package ctl_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waymark/svr/router/ctl"
)

func TestKeys(t *testing.T) {
	for header, want := range map[string]string{
		"Latency(ms)": "latency-ms", "Session Id": "session-id", "Loss(%)": "loss-%", "Reason(s)": "reason-s",
		"Network I/F IP": "network-i/f-ip", "in-octets": "in-octets", "ID": "id", "Path MTU": "path-mtu",
	} {
		if got := (ctl.Column{Header: header}).Key(); got != want {
			t.Errorf("key of %q: got %q, want %q", header, got, want)
		}
	}
}

func TestTablesAreSound(t *testing.T) {
	if names := ctl.Names(); !slices.IsSorted(names) {
		t.Errorf("tables are not in order: %q", names)
	}
	for i := range ctl.Tables {
		table := &ctl.Tables[i]
		if len(table.Columns) == 0 {
			t.Errorf("%s has no columns", table.What)
		}
		seen := map[string]bool{}
		for _, c := range table.Columns {
			if seen[c.Key()] {
				t.Errorf("%s: key %q twice", table.What, c.Key())
			}
			seen[c.Key()] = true
		}
		// Rows list the values of detail behind the others.
		detail := slices.IndexFunc(table.Columns, func(c ctl.Column) bool { return c.Detail })
		if detail >= 0 && slices.ContainsFunc(table.Columns[detail:], func(c ctl.Column) bool { return !c.Detail }) {
			t.Errorf("%s: a column without detail stands behind one with", table.What)
		}
	}
}

// The headers of the vendor's tables, word for word.
func TestVendorHeaders(t *testing.T) {
	for what, want := range map[string]string{
		"peers":             "Peer | Node | Network Interface | Destination | Status | Hostname | Path MTU",
		"peers detail":      "Peer | Node | Network Interface | Destination | Status | Hostname | Path MTU | Latency(ms) | Jitter(ms) | Loss(%) | MOS | Uptime",
		"sessions":          "Session Id | Dir | Service | Tenant | Dev Name | Intf Name | VLAN | Proto | Src IP | Src Port | Dest IP | Dest Port | NAT IP | NAT Port | Payload Encrypted | Timeout | Uptime",
		"fib":               "IP Prefix | Port | Proto | Tenant | Service | Next Hops",
		"alarms":            "ID | Time | Severity | Source | Category | Message",
		"alarms shelved":    "ID | Time | Severity | Source | Category | Message | Reason",
		"events alarm":      "Router | Node | Event Type | Time | Severity | Source | Category | Message | Shelved Status",
		"events":            "Router | Node | Event Type | Time | Severity | Source | Category | Message | Shelved Status",
		"udp-transform":     "Router Name | Node Name | Peer | Status | Reason(s)",
		"tenant members":    "Device I/F | VLAN ID | Network I/F | Network I/F IP | Source IP Prefix | Tenant | Source Type",
		"network-interface": "Router | Node | Device | Name | Forwarding | VLAN | Device Type | Type | DHCP | Address | Gateway | Hostname | Admin Status | Oper Status | GIID",
		"capacity":          "Resource | Entries | Capacity | Usage | Highest | Refused",
		"stats":             "Metric | Node | Value",
		"entitlement":       "Project | Month | Entitlement Utilized",
		"security key-status": "Key manager state | Rekey index | Last rekey | Next rekey | Key change count | " +
			"Config key change count | Key change error | Config key change error",
	} {
		name, detail := strings.CutSuffix(what, " detail")
		table, err := ctl.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range table.Visible(detail) {
			if !c.Extra {
				got = append(got, c.Header)
			}
		}
		if g := strings.Join(got, " | "); g != want {
			t.Errorf("show %s:\n got %s\nwant %s", what, g, want)
		}
	}
}

func TestFind(t *testing.T) {
	for _, row := range []struct {
		what, near string
		err        error
	}{
		{"sessions", "", nil},
		{"session", "sessions", ctl.ErrUnknown},
		{"sesions", "sessions", ctl.ErrUnknown},
		{"peer", "peers", ctl.ErrUnknown},
		{"capcity", "capacity", ctl.ErrUnknown},
		{"tenant member", "tenant members", ctl.ErrUnknown},
		{"weather", "", ctl.ErrUnknown},
		{"", "", ctl.ErrUnknown},
	} {
		_, err := ctl.Find(row.what)
		if !errors.Is(err, row.err) {
			t.Errorf("find %q: got %v, want %v", row.what, err, row.err)
		}
		if errors.Is(err, ctl.ErrUnknown) {
			if hint := strings.Contains(err.Error(), "did you mean \""+row.near+"\""); hint != (row.near != "") {
				t.Errorf("find %q: %v, want a hint at %q", row.what, err, row.near)
			}
			if !strings.Contains(err.Error(), "waypoints") {
				t.Errorf("find %q lists no names: %v", row.what, err)
			}
		}
	}
}

func TestEncoderIsJSON(t *testing.T) {
	table := &ctl.Table{What: "x", Columns: []ctl.Column{{Header: "A"}, {Header: "B"}, {Header: "C"}, {Header: "D", Detail: true}}}
	awkward := "quote \" back \\ newline \n less < umlaut ü control \x01"
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	got, err := ctl.NewEncoder(table, true).Append(nil, awkward, []string{}, nil, at)
	if err != nil {
		t.Fatal(err)
	}
	var row map[string]any
	if err := json.Unmarshal(got, &row); err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	if row["a"] != awkward || row["c"] != nil || row["d"] != "2026-07-01T12:00:00Z" {
		t.Errorf("got %s", got)
	}
	if got, err = ctl.NewEncoder(table, false).Append(nil, 1, true, uint64(1<<63), at); err != nil || string(got) != `{"a":1,"b":true,"c":9223372036854775808}` {
		t.Errorf("without detail: got %s, %v", got, err)
	}
	if _, err = ctl.NewEncoder(table, true).Append(nil, 1, 2, 3); err == nil {
		t.Error("row with a value missing: no error")
	}
}

func TestPrinter(t *testing.T) {
	table := &ctl.Table{What: "x", Title: "Node: %s", Count: "Entry Count: %d", Tail: "the end", Columns: []ctl.Column{
		{Header: "Name"}, {Header: "Count", Kind: ctl.Number}, {Header: "Hops", Kind: ctl.List, Empty: "<none>"},
		{Header: "Up", Kind: ctl.Clock}, {Header: "Since", Kind: ctl.Span}, {Header: "Hidden", Extra: true}}}
	p := ctl.Printer{Table: table}
	for _, row := range []string{
		`{"name":"a","count":5,"hops":["1.2.3.4","5.6.7.8"],"up":28,"since":1067460,"hidden":"x"}`,
		`{"name":null,"count":12345,"hops":[],"up":100000,"since":320,"hidden":"x"}`,
	} {
		if err := p.Add(json.RawMessage(row)); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	if err := p.Flush(&out, ctl.End{Node: "n1.r1"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	got := strings.Join(lines[1:len(lines)-2], "\n") // without date and duration
	want := `Node: n1.r1
Entry Count: 2
=================================================
 Name  Count  Hops     Up               Since
 ====  =====  =======  ===============  ========
 a         5  1.2.3.4  0 days  0:00:28  12d8h31m
              5.6.7.8
 -     12345  <none>   1 days  3:46:40  5m20s
=================================================
the end`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !strings.HasSuffix(lines[0], " UTC") || !strings.HasPrefix(lines[len(lines)-2], "Completed in ") {
		t.Errorf("first line %q, last line %q", lines[0], lines[len(lines)-2])
	}
}

func TestBlocks(t *testing.T) {
	table := &ctl.Table{What: "x", Layout: ctl.Blocks, Columns: []ctl.Column{{Header: "Name"}, {Header: "Speed", Kind: ctl.Number}}}
	p := ctl.Printer{Table: table}
	if err := p.Add(json.RawMessage(`{"name":"wan","speed":null}`)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := p.Flush(&out, ctl.End{Node: "n1.r1"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{" n1.r1:wan\n", " Speed:                 -\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestAskNobody(t *testing.T) {
	dir := t.TempDir()
	_, err := ctl.Ask(dir, ctl.Request{Show: "system"}, nil)
	if !errors.Is(err, ctl.ErrNoRouter) || !strings.Contains(err.Error(), dir) {
		t.Errorf("empty directory: got %v", err)
	}
	// A socket that a killed router left.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, ctl.Socket), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err = ctl.Ask(dir, ctl.Request{Show: "system"}, nil); !errors.Is(err, ctl.ErrNoRouter) {
		t.Errorf("dead socket: got %v", err)
	}
}

func TestAsk(t *testing.T) {
	t.Run("short path", func(t *testing.T) { ask(t, t.TempDir()) })
	t.Run("path longer than a socket's", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 30))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		ask(t, dir)
	})
}

func ask(t *testing.T, dir string) {
	l, err := ctl.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		l.Close()
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left %v", left)
		}
	}()
	go func() {
		for _, answer := range []string{
			`{"row":{"a":1}}` + "\n" + `{"row":{"a":2}}` + "\n" + `{"end":{"node":"n","rows":2}}` + "\n",
			`{"end":{"error":"not today","rows":0}}` + "\n",
			`{"row":{"a":1}}` + "\n", // and gone
		} {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := bufio.NewReader(c).ReadString('\n'); err == nil {
				_, _ = c.Write([]byte(answer))
			}
			c.Close()
		}
	}()
	var rows []string
	add := func(r json.RawMessage) error { rows = append(rows, string(r)); return nil }
	end, err := ctl.Ask(dir, ctl.Request{Show: "x"}, add)
	if err != nil || end.Node != "n" || !slices.Equal(rows, []string{`{"a":1}`, `{"a":2}`}) {
		t.Errorf("got %q, %+v, %v", rows, end, err)
	}
	if _, err = ctl.Ask(dir, ctl.Request{Show: "x"}, add); !errors.Is(err, ctl.ErrRefused) || !strings.Contains(err.Error(), "not today") {
		t.Errorf("refused: got %v", err)
	}
	if _, err = ctl.Ask(dir, ctl.Request{Show: "x"}, add); err == nil {
		t.Error("cut answer: no error")
	}
}
