package conductor_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waymark/mgmt/conductor/registry"
	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/client"
)

// A box and its copy, from two addresses: they push each other out until that
// shows; then one stays, the other is told why and has nothing, an alarm has both
// addresses, and the configuration stops going round.
func TestTwins(t *testing.T) {
	s := settings(t, shortDir(t), "c1")
	c := start(t, process{Settings: s}, filepath.Join(t.TempDir(), "log"))
	commit(t, s, fleetConfig(1))
	box := newBox(t, "cpe-0", nil)
	twin := newBox(t, "cpe-0", nil)
	twin.key, twin.salt = box.key, box.salt
	for _, b := range []struct {
		*simulated
		boot, from string
	}{{box, "boot-a", "127.0.0.2"}, {twin, "boot-b", "127.0.0.3"}} {
		b.quick = client.Timing{Spread: time.Second, Longest: 2 * time.Second}
		b.simulated.boot = b.boot
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(b.from)}, KeepAlive: -1}
		b.dialer = func(ctx context.Context, address string) (net.Conn, error) {
			return from.DialContext(ctx, "tcp", address)
		}
		defer runBox(t, b.simulated, s)()
	}
	alarm := ""
	until(t, "an alarm", 2*time.Minute, func() int {
		var rows []registry.AlarmRow
		api(t, s, "GET", "/v1/alarms", nil, &rows)
		for _, r := range rows {
			if strings.Contains(r.Message, "twin") {
				alarm = r.Severity + ": " + r.Message
				return 0
			}
		}
		return 1
	})
	if !strings.HasPrefix(alarm, "critical: ") || !strings.Contains(alarm, "127.0.0.2") || !strings.Contains(alarm, "127.0.0.3") {
		t.Errorf("alarm %s", alarm)
	}
	one := func() (stays, goes *simulated) {
		for _, b := range []*simulated{box, twin} {
			b.do(func(b *simulated) {
				if b.up && b.state == uplink.StateAccepted {
					stays = b
				} else if b.state == uplink.StateDuplicate {
					goes = b
				}
			})
		}
		return stays, goes
	}
	var stays *simulated
	until(t, "one that stays and one that is refused", 2*time.Minute, func() int {
		var goes *simulated
		if stays, goes = one(); stays != nil && goes != nil {
			return 0
		}
		return 1
	})
	before := stays.client.Traffic().Connects
	sent := func() (n int) {
		for _, b := range []*simulated{box, twin} {
			b.do(func(b *simulated) { n += b.configs })
		}
		return n
	}
	configs := sent()
	<-time.After(3 * time.Second) // in which they had taken turns before
	if again, _ := one(); again != stays || stays.client.Traffic().Connects != before || sent() != configs {
		t.Errorf("it goes on: %d connections, before %d; %d configurations, before %d", stays.client.Traffic().Connects, before, sent(), configs)
	}
	if n := strings.Count(c.output(), "two machines have one key"); n != 1 {
		t.Errorf("told %d times:\n%s", n, c.output())
	}
}
