package enrol

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"waymark/cmd/lab/world"
	"waymark/mgmt/conductor/command"
)

// conductorStart bounds the time until a conductor listens, its store included.
const conductorStart = 60 * time.Second

// StartConductor starts an empty conductor on the internet.
func (s *Scene) StartConductor(context.Context) (string, error) {
	s.data = s.World.Path("conductor")
	program, err := s.World.Program("conductor")
	if err != nil {
		return "", err
	}
	p, err := s.World.Start(world.Internet, program, "-data", s.data, "-listen", ConductorAddr+":930", "-salt", ConductorAddr+":4506", "-name", "lab")
	if err != nil {
		return "", err
	}
	if err := p.WaitOutput("host-key=", conductorStart); err != nil {
		return "", err
	}
	key, err := os.ReadFile(filepath.Join(s.data, "host-key.pub"))
	if err != nil {
		return "", fmt.Errorf("read host key: %w", err)
	}
	_, finger, ok := strings.Cut(strings.TrimSpace(string(key)), " SHA256:")
	sum, err := base64.RawStdEncoding.DecodeString(finger)
	if !ok || err != nil {
		return "", fmt.Errorf("no fingerprint of the host key in %q", key)
	}
	s.option = conductorOption(ConductorAddr, sum)
	return fmt.Sprintf("listens at %s:930, knows nobody, host key SHA256:%s", ConductorAddr, finger), nil
}

// Data is the conductor's data directory.
func (s *Scene) Data() string { return s.data }

// conductorOption is DHCP option 43 as dnsmasq takes it: the host and the
// SHA-256 of its key.
func conductorOption(host string, sum []byte) string {
	raw := append([]byte{1, byte(len(host))}, host...)
	raw = append(append(raw, 2, byte(len(sum))), sum...)
	var text []string
	for _, b := range raw {
		text = append(text, hex.EncodeToString([]byte{b}))
	}
	return "--dhcp-option-force=43," + strings.Join(text, ":")
}

// Conductor runs a command of the conductor's command line; v takes its JSON,
// nil nothing.
func (s *Scene) Conductor(ctx context.Context, v any, words ...string) error {
	var out bytes.Buffer
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	if err := command.Run(ctx, s.data, words, v != nil, null, &out); err != nil {
		return fmt.Errorf("conductor %s: %w", strings.Join(words, " "), err)
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(out.Bytes(), v); err != nil {
		return fmt.Errorf("conductor %s: %w\n%s", strings.Join(words, " "), err, out.Bytes())
	}
	return nil
}

// Asset is what the steps read of `show assets`.
type Asset struct {
	ID         string `json:"asset-id"`
	Router     string `json:"router"`
	Status     string `json:"status"`
	Errors     string `json:"errors"`
	Conductors []struct {
		Remote string `json:"remote"`
	} `json:"conductors"`
}

// await waits until all boxes have a status.
func (s *Scene) await(ctx context.Context, want string, ids ...string) (map[string]Asset, error) {
	byID := map[string]Asset{}
	err := until(ctx, strings.Join(ids, " and ")+" "+want, func() (bool, error) {
		var rows []Asset
		if err := s.Conductor(ctx, &rows, "show", "assets"); err != nil {
			return false, err
		}
		for _, r := range rows {
			byID[r.ID] = r
		}
		for _, id := range ids {
			if byID[id].Status != want {
				return false, s.failure()
			}
		}
		return true, nil
	})
	if err != nil {
		err = fmt.Errorf("%w: %v", err, byID)
	}
	return byID, err
}

// Alarm is what the steps read of `show alarms`.
type Alarm struct {
	Router   string `json:"router"`
	Severity string `json:"severity"`
	Category string `json:"category"`
	Message  string `json:"message"`
}

// wanAlarms are those of the branch about its ways out.
func (s *Scene) wanAlarms(ctx context.Context) (list []Alarm, err error) {
	var rows []Alarm
	if err := s.Conductor(ctx, &rows, "show", "alarms"); err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.Router == branchRouter && r.Category != "system" && r.Category != "asset" {
			list = append(list, r)
		}
	}
	return list, nil
}

// until is world.Until within ctx.
func until(ctx context.Context, what string, cond func() (bool, error)) error {
	limit := time.Minute
	if d, ok := ctx.Deadline(); ok {
		limit = time.Until(d)
	}
	return world.Until(limit, what, cond)
}
