package conductor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"waymark/mgmt/conductor"
	"waymark/mgmt/conductor/store/etcd"
	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/client"
	"waymark/svr/event"
)

// cluster starts three members of etcd as processes and returns their URLs.
func cluster(t *testing.T, dir string) (members []*running, urls []string) {
	t.Helper()
	var all, names []string
	for i, p := range ports(t, 3) {
		urls = append(urls, "http://"+at(p))
		names = append(names, fmt.Sprint("m", i))
		all = append(all, fmt.Sprintf("%s=http://%s", names[i], at(p-1)))
	}
	for i, name := range names {
		_, peer, _ := strings.Cut(all[i], "=")
		members = append(members, launch(t, process{Member: &etcd.Member{
			Name: name, Dir: filepath.Join(dir, name), Client: urls[i], Peer: peer, Cluster: strings.Join(all, ","),
		}}, filepath.Join(dir, name+".log")))
	}
	for _, m := range members {
		m.ready()
	}
	return members, urls
}

// eventRow is what the test reads of an event.
type eventRow struct {
	Seq     uint64
	Message string
}

// Two conductors on a cluster of three, and a box that is connected to both and
// tells both the same, as boxes do. A member is killed, then a conductor; it comes
// back amid the stream. Every event is there once and in order, alarms, addresses
// and use are what was told last, both conductors tell the same, and what changed
// through one holds at the other.
func TestTwoConductors(t *testing.T) {
	dir := shortDir(t)
	members, urls := cluster(t, dir)
	s1, s2 := settings(t, dir, "c1"), settings(t, dir, "c2")
	s1.Etcd, s2.Etcd = urls, urls
	c1 := start(t, process{Settings: s1}, filepath.Join(dir, "c1.log"))
	start(t, process{Settings: s2}, filepath.Join(dir, "c2.log"))
	commit(t, s1, fleetConfig(1))
	both := []*simulated{newBox(t, "cpe-0", &dials{}), newBox(t, "cpe-0", &dials{})}
	both[1].key, both[1].salt = both[0].key, both[0].salt
	for i, s := range []*conductor.Settings{s1, s2} {
		both[i].boot, both[i].quick = "one", client.Timing{Spread: time.Second, Longest: 2 * time.Second}
		defer runBox(t, both[i], s)()
	}
	until(t, "both connections", 2*time.Minute, lacking(both, func(b *simulated) bool { return b.up && b.state == uplink.StateAccepted }))
	const n, step = 2000, 50
	for at := 0; at < n; at += step {
		list, other := toldAt(at, step, n)
		for _, b := range both {
			b.out.add(list, other...)
		}
		switch at {
		case n / 4:
			members[0].kill()
		case n / 2:
			c1.kill()
		case n * 3 / 4:
			launch(t, process{Settings: s1}, filepath.Join(dir, "c1.log"))
		}
		<-time.After(20 * time.Millisecond) // so that deaths come amid the stream
	}
	until(t, "all that is told", 2*time.Minute, lacking(both, func(b *simulated) bool { return b.up && b.out.idle() }))
	agree(t, s1, s2, n)
	if code := api(t, s1, "POST", "/v1/assets/cpe-0/reject", nil, nil); code != 200 {
		t.Error("reject:", code)
	}
	until(t, "both conductors end the connection", 2*time.Minute, lacking(both, func(b *simulated) bool {
		return !b.up && b.state == uplink.StateRejected
	}))
}

// toldAt is what a box tells at a moment: events, of which the last of every step
// raises an alarm and the first of the next one clears it; its address, which
// changes; and use.
func toldAt(at, step, n int) (list []uplink.Event, other []uplink.Message) {
	for i := at + 1; i <= at+step; i++ {
		e := uplink.Event{Seq: uint64(i), Record: event.Record{ID: fmt.Sprint(i), Router: "branch0", Node: "node1", Message: fmt.Sprint("event ", i), Time: time.Now()}}
		switch {
		case i == at+step:
			e.Alarm, e.Record.Type, e.Record.Severity = uint64(i), event.TypeAdd, event.Major
		case i == at+1 && at > 0:
			e.Alarm, e.Record.Type, e.Record.Severity = uint64(at), event.TypeClear, event.Major
		}
		list = append(list, e)
	}
	address := netip.AddrFrom4([4]byte{100, 64, 0, byte(1 + at/step)})
	return list, []uplink.Message{
		&uplink.Addresses{Addresses: []uplink.Address{{Router: "branch0", Node: "node1", Interface: "wan-if", Hostname: "branch0.example.net", Address: address, Since: time.Now()}}},
		&uplink.Entitlement{Router: "branch0", Samples: []uplink.Sample{{Start: time.Now().Add(-time.Hour).Truncate(300 * time.Second), Seconds: 300, Peak: uint64(1e6 + n)}}},
	}
}

// runBox runs a box at a conductor until end is called.
func runBox(t *testing.T, b *simulated, s *conductor.Settings) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.run(ctx, t, s.Listen)
	}()
	return func() { cancel(); <-done }
}

// agree asks both conductors for everything, until both know it: what one wrote the
// other has heard of a moment later.
func agree(t *testing.T, s1, s2 *conductor.Settings, n int) {
	t.Helper()
	for _, path := range []string{"/v1/events?asset=cpe-0&limit=100000", "/v1/assets", "/v1/config", "/v1/alarms", "/v1/peers/addresses", "/v1/entitlement"} {
		until(t, path+" the same at both", time.Minute, func() (differ int) {
			var one, two any
			api(t, s1, "GET", path, nil, &one)
			api(t, s2, "GET", path, nil, &two)
			if !reflect.DeepEqual(one, two) {
				differ++
			}
			return differ
		})
	}
	for path, want := range map[string]string{
		"/v1/alarms": fmt.Sprint("event ", n), "/v1/peers/addresses": "100.64.0.40", "/v1/entitlement": `"entitlement-utilized-mbps":1`, "/v1/assets": `"conductor":"c1"`, "/v1/assets#": `"conductor":"c2"`,
	} {
		until(t, path+" with "+want, time.Minute, func() (lacks int) {
			var raw json.RawMessage
			api(t, s1, "GET", strings.TrimSuffix(path, "#"), nil, &raw)
			if !strings.Contains(string(raw), want) {
				lacks++
			}
			return lacks
		})
	}
	var rows []eventRow
	api(t, s1, "GET", "/v1/events?asset=cpe-0&limit=100000", nil, &rows)
	if len(rows) != n {
		t.Errorf("%d events, want %d", len(rows), n)
	}
	for i, r := range rows {
		if r.Seq != uint64(i+1) || r.Message != fmt.Sprint("event ", i+1) {
			t.Fatalf("event %d is %+v", i+1, r)
		}
	}
}
