package minion

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/msgpack"
)

// Bounds of jobs. What would be too much is dropped, which the log tells once and
// the master finds by asking for the job.
const (
	maxRunning = 16  // that work
	maxControl = 8   // that ask about jobs; they never wait behind the others
	maxWaiting = 64  // for a place, of each kind
	maxRecent  = 512 // ids that are remembered against doubles
)

// errKilled ends a job that saltutil.kill_job names.
var errKilled = errors.New("job was killed")

// running is one job.
type running struct {
	job    *salt.Job
	cancel context.CancelCauseFunc
}

// jobs are those that run and wait.
type jobs struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	work, control chan struct{} // places

	mu     sync.Mutex
	list   []*running
	recent []string // ring of ids
	seen   map[string]bool
}

func (s *jobs) init() {
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.work, s.control = make(chan struct{}, maxRunning), make(chan struct{}, maxControl)
	s.seen = map[string]bool{}
}

// stop ends all jobs and waits for them.
func (s *jobs) stop() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.done.Wait()
}

// errors of enter.
var (
	errTwice = errors.New("job was there before")
	errBusy  = errors.New("too many jobs wait")
	errEnded = errors.New("minion ends")
)

// enter registers a job. It is done.Add's only caller, under mu and not after
// stop, so that stop waits for all.
func (s *jobs) enter(j *salt.Job, control bool) (*running, context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ctx.Err() != nil:
		return nil, nil, errEnded
	case s.seen[j.JID]:
		return nil, nil, errTwice
	}
	s.remember(j.JID)
	limit := maxRunning + maxWaiting
	if control {
		limit += maxControl + maxWaiting
	}
	if len(s.list) >= limit {
		return nil, nil, errBusy
	}
	ctx, cancel := context.WithCancelCause(s.ctx)
	r := &running{j, cancel}
	s.list = append(s.list, r)
	s.done.Add(1)
	return r, ctx, nil
}

func (s *jobs) remember(jid string) {
	if len(s.recent) == maxRecent {
		delete(s.seen, s.recent[0])
		s.recent = s.recent[1:]
	}
	s.recent = append(s.recent, jid)
	s.seen[jid] = true
}

func (s *jobs) leave(r *running) {
	s.mu.Lock()
	for i := range s.list {
		if s.list[i] == r {
			s.list = append(s.list[:i:i], s.list[i+1:]...)
			break
		}
	}
	s.mu.Unlock()
	r.cancel(nil)
	s.done.Done()
}

// start runs a job and returns at once.
func (m *Minion) start(j *salt.Job) {
	control := true
	for _, f := range j.Funs {
		control = control && m.cfg.Functions.Control(f)
	}
	places := m.jobs.work
	if control {
		places = m.jobs.control
	}
	r, ctx, err := m.jobs.enter(j, control)
	if err != nil {
		m.once.warn("salt", "job refused", "err", err)
		return
	}
	go func() {
		defer m.jobs.leave(r)
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		case <-ctx.Done():
			return
		}
		m.execute(ctx, j)
	}()
}

// execute runs the functions of a job one after the other and brings the
// outcome to the master.
func (m *Minion) execute(ctx context.Context, j *salt.Job) {
	outcomes := make([]salt.Outcome, 0, len(j.Funs))
	for n := range j.Funs {
		outcomes = append(outcomes, bounded(m.cfg.Functions.Run(ctx, m, j, n)))
	}
	if err := m.bring(m.jobs.ctx, m.id.ReturnLoad(j, outcomes, time.Now())); err != nil && m.jobs.ctx.Err() == nil {
		m.once.warn("salt", "return of a job was lost", "jid", j.JID, "err", err)
	}
}

// bounded replaces what cannot be sent by the reason.
func bounded(o salt.Outcome) salt.Outcome {
	raw, err := msgpack.Marshal(o.Value)
	switch {
	case err != nil:
		return salt.Outcome{Value: "ERROR: " + err.Error(), Retcode: 1}
	case len(raw) > maxReturn:
		return salt.Outcome{Value: fmt.Sprintf("ERROR: the return has %d bytes, more than %d", len(raw), maxReturn), Retcode: 1}
	}
	return o
}

// bringTries is how often a return is sent: the pauses between add up to minutes.
const bringTries = 8

// bring sends a return until the master has it.
func (m *Minion) bring(ctx context.Context, load msgpack.Map) error {
	pause := backoff{first: m.cfg.Timing.Retry, max: m.cfg.Timing.RetryMax}
	for try := 1; ; try++ {
		_, err := m.Request(ctx, load)
		if err == nil || try == bringTries || ctx.Err() != nil {
			return err
		}
		sleep(ctx, pause.next())
	}
}

// Running are the jobs that run or wait, in order of their start.
func (m *Minion) Running() []msgpack.Map {
	m.jobs.mu.Lock()
	defer m.jobs.mu.Unlock()
	out := make([]msgpack.Map, 0, len(m.jobs.list))
	for _, r := range m.jobs.list {
		out = append(out, r.job.Info(os.Getpid()))
	}
	return out
}

// Kill tells a job to end; false if there is none of that id.
func (m *Minion) Kill(jid string) bool {
	m.jobs.mu.Lock()
	defer m.jobs.mu.Unlock()
	for _, r := range m.jobs.list {
		if r.job.JID == jid {
			r.cancel(errKilled)
			return true
		}
	}
	return false
}
