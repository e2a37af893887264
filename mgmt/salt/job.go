package salt

import (
	"fmt"
	"time"

	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/msgpack"
)

// maxFuns bounds a compound job.
const maxFuns = 16

// Job is a publication.
type Job struct {
	JID    string
	Funs   []string // one, or those of a compound job
	Args   [][]any  // of each function, keyword arguments among them
	Serial int64    // grows with each publication of a master's life; 0 if not told
	load   msgpack.Map
}

// OpenPublication checks and decrypts what a master published. A wrong
// signature is crypt.ErrSignature; crypt.ErrCrypticle means another key.
func (i *Identity) OpenPublication(s *Session, payload []byte) (*Job, error) {
	env, err := msgpack.DecodeMap(payload)
	if err != nil {
		return nil, fmt.Errorf("open publication: %w", err)
	}
	load := []byte(env.Text("load"))
	alg, sig := env.Text("sig_algo"), env.Text("sig")
	if alg == "" {
		alg = crypt.PKCSSHA1 // before 3006.9
	}
	if sig != "" || !i.Relaxed {
		if err := s.Master.Verify(alg, load, []byte(sig)); err != nil {
			return nil, fmt.Errorf("open publication: %w", err)
		}
	}
	v, err := unpack(s.Publish, load, "")
	if err != nil {
		return nil, fmt.Errorf("open publication: %w", err)
	}
	m, ok := v.(msgpack.Map)
	if !ok {
		return nil, fmt.Errorf("open publication: %w: %T", ErrMalformed, v)
	}
	return ParseJob(m)
}

// ParseJob checks the load of a publication.
func ParseJob(load msgpack.Map) (*Job, error) {
	j := &Job{JID: load.Text("jid"), load: load}
	if j.JID == "" || len(j.JID) > 64 || !isPrintable(j.JID) {
		return nil, fmt.Errorf("parse job: %w: jid %.80q", ErrMalformed, j.JID)
	}
	j.Serial, _ = load.Int("serial")
	args, _ := load.Get("arg").([]any)
	switch fun := load.Get("fun").(type) {
	case string:
		j.Funs, j.Args = []string{fun}, [][]any{args}
	case []any:
		if len(fun) == 0 || len(fun) > maxFuns || len(args) != len(fun) {
			return nil, fmt.Errorf("parse job: %w: %d functions, %d lists of arguments", ErrMalformed, len(fun), len(args))
		}
		for n := range fun {
			name, ok := fun[n].(string)
			list, ok2 := args[n].([]any)
			if !ok || !ok2 {
				return nil, fmt.Errorf("parse job: %w: function %d", ErrMalformed, n)
			}
			j.Funs, j.Args = append(j.Funs, name), append(j.Args, list)
		}
	default:
		return nil, fmt.Errorf("parse job: %w: fun is %T", ErrMalformed, fun)
	}
	return j, nil
}

// Compound tells whether the job has a list of functions, even of one.
func (j *Job) Compound() bool {
	_, ok := j.load.Get("fun").([]any)
	return ok
}

// Target is whom the job is for: a value and its type, "glob" if not told, and
// what stands between key and value of grains and pillar, ":" if not told.
func (j *Job) Target() (tgt any, kind, delimiter string) {
	kind, delimiter = j.load.Text("tgt_type"), j.load.Text("delimiter")
	if kind == "" {
		kind = "glob"
	}
	if delimiter == "" {
		delimiter = ":"
	}
	return j.load.Get("tgt"), kind, delimiter
}

// Info is what find_job and running tell of a running job.
func (j *Job) Info(pid int) msgpack.Map {
	return append(msgpack.KV("pid", pid), j.load.Without("serial")...)
}

// Pub are the keyword arguments that functions with ** get of the publication.
func (j *Job) Pub() msgpack.Map {
	var out msgpack.Map
	for _, p := range j.load.Without("serial") {
		if k, ok := p.Key.(string); ok {
			out = append(out, msgpack.Pair{Key: "__pub_" + k, Value: p.Value})
		}
	}
	return out
}

// Outcome is what a function gave.
type Outcome struct {
	Value   any
	Retcode int
	Success bool
	Out     string // outputter, "" for the master's choice
}

// ReturnLoad is the request that brings the outcomes of a job, in the order of
// stock minions: outputter behind the code if the function did not exist,
// otherwise behind the user.
func (i *Identity) ReturnLoad(j *Job, outcomes []Outcome, now time.Time) msgpack.Map {
	m := msgpack.KV("cmd", "_return", "id", i.ID)
	if j.Compound() {
		var value, code, success msgpack.Map
		for n, o := range outcomes {
			value.Set(j.Funs[n], o.Value)
			code.Set(j.Funs[n], o.Retcode)
			success.Set(j.Funs[n], o.Success)
		}
		m = append(m, msgpack.KV("return", value, "retcode", code, "success", success)...)
	} else {
		o := outcomes[0]
		m = append(m, msgpack.KV("success", o.Success, "return", o.Value, "retcode", o.Retcode)...)
		if !o.Success && o.Out != "" {
			m.Set("out", o.Out)
		}
	}
	m = append(m, msgpack.KV("jid", j.JID, "fun", j.load.Get("fun"), "fun_args", j.load.Get("arg"))...)
	if user, ok := j.load.Lookup("user"); ok {
		m.Set("user", user)
	}
	if len(outcomes) == 1 && outcomes[0].Out != "" {
		m.Set("out", outcomes[0].Out)
	}
	if metadata, ok := j.load.Get("metadata").(msgpack.Map); ok {
		m.Set("metadata", metadata)
	}
	m.Set("_stamp", stamp(now))
	return m
}
