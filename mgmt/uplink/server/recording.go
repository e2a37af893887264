package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"waymark/mgmt/uplink"
)

// recording writes a session as asciicast v2: a JSON object, then JSON lines.
// What is typed is not in it, but for what the box shows of it: secrets are not.
type recording struct {
	mu    sync.Mutex // guards the rest
	w     io.Writer
	began time.Time
	half  []byte // of a character that is not whole yet
}

func newRecording(w io.Writer, s uplink.Shell) (*recording, error) {
	r := &recording{w: w, began: time.Now()}
	width, height := s.Width, s.Height
	if width <= 0 || height <= 0 {
		width, height = 80, 24
	}
	return r, r.line(map[string]any{"version": 2, "width": width, "height": height, "timestamp": r.began.Unix(), "title": s.User})
}

func (r *recording) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = r.w.Write(append(b, '\n'))
	return err
}

func (r *recording) event(kind, data string) error {
	return r.line([]any{time.Since(r.began).Seconds(), kind, data})
}

// output notes what the box wrote.
func (r *recording) output(p []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	p = append(r.half, p...)
	end := len(p)
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ { // does it end within a character?
		if utf8.RuneStart(p[len(p)-n]) {
			if !utf8.FullRune(p[len(p)-n:]) {
				end = len(p) - n
			}
			break
		}
	}
	r.half = append([]byte(nil), p[end:]...)
	if end == 0 {
		return nil
	}
	return r.event("o", string(p[:end]))
}

func (r *recording) resize(width, height int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.event("r", fmt.Sprintf("%dx%d", width, height))
}

// asRefusal is errors.As with its types told.
func asRefusal[E error](err error, target *E) bool { return errors.As(err, target) }
