package config

import (
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
)

func acmeDraft(t testing.TB) *Draft {
	t.Helper()
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	d, finds := ReadDraft(data)
	if d == nil {
		t.Fatal(finds)
	}
	return d
}

// same fails unless text and JSON of a draft both give it back.
func same(t *testing.T, d *Draft) {
	t.Helper()
	back, err := ReadText(d.Text(true))
	if err != nil || !back.Equal(d) {
		t.Fatalf("text does not give the draft back: %v\n%s", err, d.Text(true))
	}
	again, finds := ReadDraft(d.JSON())
	if again == nil || !again.Equal(d) {
		t.Fatalf("JSON does not give the draft back: %v\n%s", finds, d.JSON())
	}
	if flat := back.Text(true); flat != d.Text(true) {
		t.Fatalf("two texts of one draft")
	}
}

func TestRoundTrip(t *testing.T) {
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	d := acmeDraft(t)
	same(t, d)
	want, _ := Parse(data)
	got, finds := Parse(d.JSON())
	if finds.Failed() || !reflect.DeepEqual(got, want) {
		t.Errorf("the draft means something else: %v", finds)
	}
	if strings.Contains(d.Text(false), "603deb10") || !strings.Contains(d.Text(true), "603deb10") {
		t.Error("secrets are shown where they must not, or not where they must")
	}
	if _, err := ReadText(d.Text(false)); err == nil {
		t.Error("a text without its secrets can be read back")
	}
	same(t, EmptyDraft())
}

// TestRoundTripRandom edits the example at random: whatever Set and Delete leave
// goes through both forms.
func TestRoundTripRandom(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		d := acmeDraft(t)
		for range 30 {
			randomEdit(rnd, d)
		}
		same(t, d)
	}
}

// randomEdit walks down along suggestions and sets or deletes what it finds.
func randomEdit(rnd *rand.Rand, d *Draft) {
	var words []string
	for range 14 {
		list := d.Suggest(nil, words)
		if len(list) == 0 {
			break
		}
		s := list[rnd.IntN(len(list))]
		text := s.Text
		if s.Hint {
			text = []string{"10.9.8.7", "77", "some name", "a\\b \"c\"", "x", "1.5", "00112233445566778899aabbccddeeff", "", "ü#x"}[rnd.IntN(9)]
		}
		words = append(words, text)
	}
	if rnd.IntN(4) == 0 {
		_ = d.Delete(nil, words[:1+rnd.IntN(len(words))]) // refused is fine
		return
	}
	_, _ = d.Set(nil, words)
}

func TestText(t *testing.T) {
	const text = `
# made by hand
config
    authority
        name               acme
        description        "two words"
        conductor-address  192.0.2.1
        conductor-address  192.0.2.2

        router  r1
            name  r1

            service-route  s
                name  s

                next-hop  node1 fiber
                    node-name  node1
                    interface  fiber
                exit
            exit
        exit
    exit
exit
config authority router r1 node n1 device-interface d network-interface i address 10.0.0.1 prefix-length 24
config authority router r1 node n1 device-interface d target-interface eth0
`
	d, err := ReadText(text)
	if err != nil {
		t.Fatal(err)
	}
	same(t, d)
	got, err := d.TextAt(Place{"authority", "router", "r1", "service-route", "s"}, true)
	const want = `service-route  s
    name  s

    next-hop  node1 fiber
        node-name  node1
        interface  fiber
    exit
exit
`
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
	if !strings.Contains(string(d.JSON()), `"prefix-length": 24`) {
		t.Errorf("number became %s", d.JSON())
	}
}

func TestTextErrors(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"authority", "line 1: outside of config"},
		{"config\nauthority\nexit", "1 blocks without exit"},
		{"config\nexit\nexit", "line 3: outside"},
		{"config\nauthority\nnmae x\nexit\nexit", "line 3: unknown name: nmae"},
		{"config\nauthority\nauto-install maybe\nexit\nexit", "line 3: wrong value: auto-install"},
		{"config\nauthority\nname a b\nexit\nexit", "line 3: value is missing"},
		{"config\nauthority\ntenant\nexit\nexit\nexit", "line 3: value is missing: tenant takes name"},
		{"config\nauthority\ntenant a\nname b\nexit\nexit\nexit", "line 4: wrong value: name is the key"},
		{"config\nconfig\nexit\nexit", "line 2: config within config"},
		{"config authority", "line 1: a line of the flat form"},
		{"config\nauthority\nroter r1\nname r1\nexit\nname \"x\nexit\nexit", "line 6: quotation mark"},
		{"\xff", "no UTF-8"},
		{"config\nauthority\nsecurity s\nencryption-key abc\nexit\nexit\nexit", "encryption-key (removed) has 3 hex digits"},
	} {
		_, err := ReadText(row.text)
		if !errors.Is(err, ErrText) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q: %v, want %q", row.text, err, row.want)
		}
	}
}

func TestEdit(t *testing.T) {
	d := acmeDraft(t)
	before := string(d.JSON())
	r := Place{"authority", "router", "branch1"}
	for _, row := range []struct {
		at    Place
		words string
		err   error
	}{
		{nil, "authority nothing x", ErrNoName},
		{nil, "authority s x", ErrNoName}, // more than one begins so
		{r, "location", ErrNoValue},
		{r, "name branch2", ErrBadValue},
		{r, "maintenance-mode maybe", ErrBadValue},
		{r, "node n9 device-interface d network-interface i mtu 1", ErrBadValue}, // and nothing of it is made
		{r, "node", ErrNoValue},
		{Place{"authority", "router", "nobody"}, "location x", ErrNotThere},
	} {
		if _, err := d.Set(row.at, strings.Fields(row.words)); !errors.Is(err, row.err) {
			t.Errorf("set %s: %v, want %v", row.words, err, row.err)
		}
	}
	for _, words := range []string{"nothing", "router nobody", "router branch1 name", "router", "tenant corp security"} {
		if err := d.Delete(Place{"authority"}, strings.Fields(words)); err == nil {
			t.Errorf("delete %s is no error", words)
		}
	}
	if string(d.JSON()) != before {
		t.Error("refused edits changed the draft")
	}
	at, err := d.Set(nil, []string{"auth", "rou", "branch1", "node", "node1"})
	if err != nil || strings.Join(at, " ") != "authority router branch1 node node1" {
		t.Errorf("enter: %q, %v", at, err)
	}
	for _, words := range []string{"description office", "description lab", "device-interface lan description x"} {
		if _, err := d.Set(at, strings.Fields(words)); err != nil {
			t.Errorf("set %s: %v", words, err)
		}
	}
	if err := d.Delete(at, strings.Fields("device-interface lan description")); err != nil {
		t.Error(err)
	}
	if text, err := d.TextAt(at, true); err != nil || !strings.Contains(text, "description  lab\n") || strings.Contains(text, "office") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestSuggest(t *testing.T) {
	d := acmeDraft(t)
	for _, row := range []struct {
		at          Place
		words, want string // of the suggestions one
	}{
		{nil, "", "authority"},
		{nil, "authority router", "branch1"},
		{nil, "authority router", "<name>"},
		{nil, "authority service datacenter service-policy", "fiber-then-lte"},
		{Place{"authority", "service", "datacenter"}, "scope", "private"},
		{Place{"authority"}, "rekey-interval", "never"},
		{Place{"authority"}, "rekey-interval", "<rekey-interval>"},
		{Place{"authority", "router", "branch1", "service-route", "datacenter-at-hub1"}, "next-hop node1", "<interface>"},
	} {
		found := false
		for _, s := range d.Suggest(row.at, strings.Fields(row.words)) {
			found = found || s.Text == row.want
		}
		if !found {
			t.Errorf("%v %s: no %s among %v", row.at, row.words, row.want, d.Suggest(row.at, strings.Fields(row.words)))
		}
	}
	if list := d.Suggest(nil, []string{"nothing"}); list != nil {
		t.Errorf("suggestions behind nonsense: %v", list)
	}
}

func TestCompare(t *testing.T) {
	for _, row := range []struct {
		words, want string
		class       Class
	}{
		{"router branch1 description x", "+ authority router branch1 description x", Free},
		{"router branch1 node node1 device-interface lan network-interface lan address 192.168.1.1 prefix-length 25",
			"- authority router branch1 node node1 device-interface lan network-interface lan address 192.168.1.1 prefix-length 24\n" +
				"+ authority router branch1 node node1 device-interface lan network-interface lan address 192.168.1.1 prefix-length 25", Readdress},
		{"tenant lab", "+ authority tenant lab name lab", Restart},
		{"security internal encryption-key 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
			"- authority security internal encryption-key (removed)\n+ authority security internal encryption-key (removed)", Restart},
		{"rekey-interval 24", "+ authority rekey-interval 24", Free}, // not yet effective
	} {
		a, b := acmeDraft(t), acmeDraft(t)
		if _, err := b.Set(Place{"authority"}, strings.Fields(row.words)); err != nil {
			t.Fatal(err)
		}
		var lines []string
		list := a.Compare(b)
		for _, c := range list {
			lines = append(lines, c.String())
		}
		if got := strings.Join(lines, "\n"); got != row.want || Dearest(list).Class != row.class {
			t.Errorf("%s: %v\n%s", row.words, Dearest(list), got)
		}
	}
	if list := acmeDraft(t).Compare(acmeDraft(t)); len(list) != 0 {
		t.Errorf("equal drafts differ: %v", list)
	}
	a, b := acmeDraft(t), acmeDraft(t)
	p := b.top.kid("authority").all("service-policy")[0]
	v := p.all("vector")
	i, j := -1, -1
	for n, k := range p.kids {
		if k == v[0] {
			i = n
		} else if k == v[1] {
			j = n
		}
	}
	p.kids[i], p.kids[j] = p.kids[j], p.kids[i]
	list := a.Compare(b)
	if len(list) != 1 || list[0].String() != "~ authority service-policy fiber-then-lte vector" || list[0].Effect.Class != Restart {
		t.Errorf("another order: %v", list)
	}
}

// TestEveryLeafHasAClass: a leaf that nobody has thought about fails here, and
// so does a row that covers none.
func TestEveryLeafHasAClass(t *testing.T) {
	used := map[string]bool{}
	var walk func(e *element, names []string)
	walk = func(e *element, names []string) {
		for _, c := range e.children {
			names := append(names[:len(names):len(names)], c.name)
			walk(c, names)
			if c.shape == container || c.shape == list {
				continue
			}
			if _, ok := effectOf(c, names); !ok {
				t.Errorf("%s has no class", strings.Join(names, "/"))
			}
			for n := len(names); n > 0; n-- {
				if p := strings.Join(names[:n], "/"); effects[p] != (Effect{}) || hasRow(p) {
					used[p] = true
					break
				}
			}
		}
	}
	walk(root(), nil)
	for p := range effects {
		if !used[p] {
			t.Errorf("row %s covers no leaf", p)
		}
	}
	for _, p := range []string{"authority", "authority/router", "authority/router/node", strings.TrimSuffix(dev, "/"), strings.TrimSuffix(nif, "/")} {
		if hasRow(p) {
			t.Errorf("row %s would cover what nobody has thought about", p)
		}
	}
}

func hasRow(p string) bool { _, ok := effects[p]; return ok }

// FuzzText: what can be read can be written in both forms and read again.
func FuzzText(f *testing.F) {
	f.Add(acmeDraft(f).Text(true))
	for _, s := range []string{"config authority name a", "config\nauthority\nexit\nexit", "config authority rekey-interval \"never\"",
		"config authority service-policy p max-loss 1e-2", "config authority tenant a description \"\\\"\\\\ \"", "config authority router r service-route s next-hop a b gateway-ip ::1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ReadText(text); err == nil {
			same(t, d)
		}
	})
}

// FuzzDraft is the same from JSON.
func FuzzDraft(f *testing.F) {
	f.Add(acmeDraft(f).JSON())
	f.Add([]byte(`{"authority":{"name":"a","tenant":[{"name":"x"}],"rekey-interval":"5","conductor-address":[]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, _ := ReadDraft(data); d != nil {
			same(t, d)
		}
	})
}
