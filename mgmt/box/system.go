package box

import (
	"encoding/json"
	"fmt"
	"time"
)

// System adds what init knows to the row of `show system`. An empty row stands
// for a router that does not answer.
func (s *State) System(row json.RawMessage) (json.RawMessage, error) {
	values := map[string]any{}
	if len(row) == 0 {
		values["status"] = "offline"
	} else if err := json.Unmarshal(row, &values); err != nil {
		return nil, fmt.Errorf("read row of system: %w", err)
	}
	for key, v := range map[string]string{
		"board": s.Board, "image": s.Version, "slot": s.Slot, "last-boot-reason": s.LastBootReason,
		"refused-version": s.RefusedVersion, "refused-reason": s.RefusedReason, "clock": s.clock(),
	} {
		values[key] = nil
		if v != "" {
			values[key] = v
		}
	}
	values["trial"] = nil
	if s.Slot != "" {
		values["trial"] = s.Trial
	}
	if !s.Started.IsZero() {
		values["box-started"] = s.Started.UTC().Truncate(time.Second)
	}
	return json.Marshal(values)
}

func (s *State) clock() string {
	c := s.Clock
	text := c.Source
	if c.Server != "" {
		text += " " + c.Server
	}
	if text != "" && !c.Synced {
		text += ", not synchronized"
	}
	return text
}
