package minion

import (
	"bytes"
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/module"
	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/recording"
)

// recorded is the minion of a recording: its grains and pillar, its master's
// file, and the jobs that ran when it was asked.
type recorded struct {
	grains, pillar msgpack.Map
	jobs           []msgpack.Map
	fired          []msgpack.Map
}

func (r *recorded) ID() string                          { return "cpe-1" }
func (r *recorded) Grains() msgpack.Map                 { return r.grains }
func (r *recorded) Pillar() msgpack.Map                 { return r.pillar }
func (r *recorded) RefreshGrains(context.Context) error { return nil }
func (r *recorded) RefreshPillar(context.Context) error { return nil }
func (r *recorded) Running() []msgpack.Map              { return r.jobs }
func (r *recorded) Kill(string) bool                    { return false }
func (r *recorded) Fire(_ context.Context, tag string, data any) error {
	r.fired = append(r.fired, msgpack.KV("tag", tag, "data", data))
	return nil
}

func (r *recorded) Request(_ context.Context, load msgpack.Map) (any, error) {
	if load.Text("cmd") == "_file_hash" {
		return msgpack.KV("hash_type", "sha256", "hsum", "f541874101876255b4baf3a739778d04cb9cba25ffa38b30bc1fb8b0701f2a45"), nil
	}
	b := make([]byte, 3000)
	for i := range b {
		b[i] = byte(7*i + 3)
	}
	at := load.Get("loc").(int64)
	return msgpack.KV("data", string(b[at:min(at+1024, 3000)]), "dest", "fw.bin"), nil
}

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	out, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every job that a stock master published is run by our functions; the return
// that we would send is the one that the stock minion sent, byte for byte but
// for what belongs to the request (nonce, ts, tok).
func TestRecordedJobs(t *testing.T) {
	for _, name := range recording.Names {
		f, err := recording.Read("../testdata", name)
		if err != nil {
			t.Fatal(err)
		}
		returns := map[string]*recording.Exchange{}
		for _, e := range f.Exchanges {
			if strings.HasPrefix(e.Name, "return ") {
				_, load, _, err := e.Request()
				if err != nil {
					t.Fatal(err)
				}
				returns[load.Text("jid")] = e
			}
		}
		n := 0
		for _, e := range f.Exchanges {
			if !strings.HasPrefix(e.Name, "publish ") || strings.Contains(e.Name, "state.apply") || strings.Contains(e.Name, "zmq_filtering") {
				continue // stock states are not ours; of filtered jobs no return was recorded
			}
			t.Run(name+" "+e.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { replayJob(t, f, e, returns) })
			})
			n++
		}
		if want := map[string]int{"3006": 17, "3007": 18}[name]; n != want {
			t.Errorf("%s: %d jobs, want %d", name, n, want)
		}
	}
}

func replayJob(t *testing.T, f *recording.File, e *recording.Exchange, returns map[string]*recording.Exchange) {
	id, err := salt.NewIdentity("cpe-1", f.Minion, salt.SHA1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	publish, err := crypt.ParseKeyText(e.Secrets["aes"])
	if err != nil {
		t.Fatal(err)
	}
	j, err := id.OpenPublication(&salt.Session{Publish: publish, Master: &f.Master.Public}, e.Payload("s2c"))
	if err != nil {
		t.Fatal(err)
	}
	who := minionOf(t, f)
	m := &Minion{id: id, grains: who.grains, pillar: who.pillar}
	if !m.meant(j) || !m.advance(j) || m.advance(j) {
		t.Error("not meant for us, or taken twice")
	}
	back := returns[j.JID]
	if back == nil {
		t.Fatal("no return was recorded")
	}
	_, want, _, err := back.Request()
	if err != nil {
		t.Fatal(err)
	}
	if info, ok := want.Get("return").(msgpack.Map); ok && j.Funs[0] == "saltutil.find_job" && len(info) > 0 {
		who.jobs = []msgpack.Map{info}
	}
	stamp, err := time.Parse("2006-01-02T15:04:05.000000", want.Text("_stamp"))
	if err != nil && !back.V2() {
		t.Fatal(err)
	}
	got := id.ReturnLoad(j, outcomes(t, who, j), stamp)
	want = want.Without("nonce").Without("ts").Without("tok")
	if back.V2() { // a client of another hand: other order, no stamp
		compareUnordered(t, got.Without("_stamp"), want)
		return
	}
	if !bytes.Equal(encoded(t, got), encoded(t, want)) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
	compareEvents(t, f, who.fired)
}

func outcomes(t *testing.T, who *recorded, j *salt.Job) (out []salt.Outcome) {
	set := module.New(&module.Box{Files: t.TempDir()})
	for n := range j.Funs {
		out = append(out, bounded(set.Run(t.Context(), who, j, n)))
	}
	return out
}

// minionOf takes grains and pillar from the recorded pillar exchange.
func minionOf(t *testing.T, f *recording.File) *recorded {
	e := f.Find("_pillar")
	_, load, _, err := e.Request()
	if err != nil {
		t.Fatal(err)
	}
	reply, err := msgpack.DecodeMap(e.Payload("s2c"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := recording.Unseal(e.Secrets["pillar"], reply.Text("pillar"), "")
	if err != nil {
		t.Fatal(err)
	}
	data, err := msgpack.DecodeMap([]byte(v.(msgpack.Map).Text("data")))
	if err != nil {
		t.Fatal(err)
	}
	return &recorded{grains: load.Get("grains").(msgpack.Map), pillar: data.Get("pillar").(msgpack.Map)}
}

func compareUnordered(t *testing.T, got, want msgpack.Map) {
	if len(got) != len(want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
	for _, p := range want {
		if !bytes.Equal(encoded(t, got.Get(p.Key.(string))), encoded(t, p.Value)) {
			t.Errorf("%v: %v, want %v", p.Key, got.Get(p.Key.(string)), p.Value)
		}
	}
}

// compareEvents looks for what a job fired among the recorded events, request
// for request.
func compareEvents(t *testing.T, f *recording.File, fired []msgpack.Map) {
	id, err := salt.NewIdentity("cpe-1", f.Minion, salt.SHA1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range fired {
		got := encoded(t, id.EventLoad(ev.Text("tag"), ev.Get("data")))
		found := false
		for _, e := range f.Exchanges {
			if strings.HasPrefix(e.Name, "event waymark/alarm") {
				_, load, _, _ := e.Request()
				found = found || bytes.Equal(got, encoded(t, load.Without("nonce").Without("ts")))
			}
		}
		if !found {
			t.Errorf("no such event was recorded: %v", ev)
		}
	}
}
