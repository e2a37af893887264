package near_test

import (
	"testing"

	"waymark/mgmt/near"
)

func TestWord(t *testing.T) {
	list := []string{"sessions", "peers", "fib", "waypoints"}
	for word, want := range map[string]string{"sesions": "sessions", "pears": "peers", "epers": "peers", "bif": "fib", "zzz": "", "": "", "x": ""} {
		if got := near.Word(word, list); got != want {
			t.Errorf("Word(%q) = %q, want %q", word, got, want)
		}
	}
}
