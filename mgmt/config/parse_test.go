package config_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"waymark/mgmt/config"
)

func TestNoJSON(t *testing.T) {
	deep := strings.Repeat(`{"authority":`, 5000) + "1" + strings.Repeat("}", 5000)
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", "error: file: line 1, column 1: the file ends where a value must follow"},
		{"cut", "{\n \"authority\": {\"name\": \"a\"", "error: file: line 2, column 27: the file ends where a comma or } must follow"},
		{"cut in a string", `{"authority": {"na`, "error: file: line 1, column 19: the file ends within a string"},
		{"cut in an escape", `{"a\`, "error: file: line 1, column 5: the file ends within a string"},
		{"cut in a word", `{"authority": tru`, `error: file: line 1, column 15: unexpected "t" where a value must stand`},
		{"garbage behind", `{"authority": {"name": "a"}} x`, "error: file: line 1, column 30: more text behind the end of the configuration"},
		{"two values", "{}\n{}", "error: file: line 2, column 1: more text behind the end of the configuration"},
		{"deep objects", deep, "error: file: line 1, column 833: is nested deeper than 64 levels"},
		{"deep lists", `{"authority":` + strings.Repeat("[", 5000), "error: file: line 1, column 77: is nested deeper than 64 levels"},
		{"comma at the end", `{"authority": {"name": "a",}}`, `error: file: line 1, column 28: unexpected "}" where a name in quotes must stand`},
		{"no colon", `{"authority" {}}`, `error: file: line 1, column 14: unexpected "{" where a colon must follow the name`},
		{"no comma", `{"authority": {"tenant": [1 2]}}`, `error: file: line 1, column 29: unexpected "2" where a comma or "]" must stand`},
		{"comment", "{} // x", "error: file: line 1, column 4: more text behind the end of the configuration"},
		{"bare word", `{authority: {}}`, `error: file: line 1, column 2: unexpected "a" where a name in quotes must stand`},
		{"leading zero", `{"authority": 007}`, "error: file: line 1, column 15: wrong number"},
		{"line end in a string", "{\"authority\n\": 1}", "error: file: line 1, column 12: control character or line end within a string"},
		{"escape", `{"\x": 1}`, "error: file: line 1, column 2: wrong escape in a string"},
		{"not UTF-8", "{\"authority\": \"\xff\"}", "error: file: line 1, column 16: is not UTF-8"},
		{"UTF-16", "\xff\xfe{\x00", "error: file: line 1, column 1: is not UTF-8"},
		{"columns count characters", `{"äöü": x}`, `error: file: line 1, column 9: unexpected "x" where a value must stand`},
		{"list", `[]`, `error: file: is a list, must be an object; allowed: {"authority": {…}}`},
		{"no authority", `{}`, "error: authority: is missing"},
		{"other top", `{"authority": {"name": "a"}, "x": 1}`, "error: x: is unknown here; allowed: authority"},
		{"authority twice", `{"authority": {"name": "a"}, "authority": {"name": "b"}}`, "error: authority: stands here twice"},
		{"key twice", `{"authority": {"name": "a", "name": "b"}}`, "error: authority > name: stands here twice"},
		{"null authority", `{"authority": null}`, "error: authority: is null, must be an object"},
		{"byte order mark", "\xef\xbb\xbf" + `{"authority": {"name": "a", "x": 1}}`, "error: file: starts with a byte order mark; allowed: plain UTF-8\nerror: authority > x: is unknown here; allowed: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, finds := config.Parse([]byte(c.in))
			got := strings.TrimSuffix(finds.String(), "\n")
			if c.name == "byte order mark" {
				got = got[:min(len(got), len(c.want))]
			}
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestEveryCut cuts the example at every byte: always one finding with a
// place, never a tree.
func TestEveryCut(t *testing.T) {
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	end := bytes.LastIndexByte(data, '}')
	for n := 0; n <= end; n += 7 {
		auth, finds := config.Parse(data[:n])
		if auth != nil || len(finds) != 1 || !strings.HasPrefix(finds[0].Value, "line ") {
			t.Fatalf("cut at %d: %v %s", n, auth, finds)
		}
	}
}

// TestFindingsAreBounded feeds a file with more faults than anyone reads.
func TestFindingsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"authority": {"name": "a", "tenant": [`)
	for i := range 3000 {
		fmt.Fprintf(&b, `{"name": "t%d", "x": 1},`, i)
	}
	b.WriteString(`{"name": "last"}]}}`)
	_, finds := config.Parse([]byte(b.String()))
	if got, want := len(finds), 1001; got != want {
		t.Fatalf("%d findings, want %d", got, want)
	}
	same(t, "last", finds[1000].String(), "error: and 2000 more findings")
}

// TestSecretsStayHidden looks for keys in the findings of wrong keys.
func TestSecretsStayHidden(t *testing.T) {
	for _, leaf := range []string{"encryption-key", "hmac-key", "encryption-iv"} {
		for _, v := range []any{"5ec4e7", 5347, []any{"5ec4e7"}} {
			_, finds := config.Parse(edited(t, edit{"security/0/" + leaf, v}))
			if s := finds.String(); !finds.Failed() || strings.Contains(s, "5ec4e7") || strings.Contains(s, "5347") {
				t.Errorf("%s: %s", leaf, s)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"authority": {"name": "a", "router": [{"name": "r", "node": [{}]}]}}`))
	f.Add([]byte(`{"authority": {"security": [{"encrypt": 1}], "tenant": [[]]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		auth, finds := config.Parse(data)
		if auth == nil && !finds.Failed() {
			t.Fatal("neither tree nor error")
		}
		if auth != nil {
			for _, r := range auth.Routers {
				auth.Check(r.Name, "")
			}
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Fatalf("%d bytes took %v", len(data), d)
		}
	})
}
