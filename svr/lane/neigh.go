package lane

import (
	"errors"
	"net/netip"
	"runtime"
	"sync"

	"waymark/net/neigh"
	"waymark/net/rtnl"
)

// Times in nanoseconds between two requests for the same neighbour.
const (
	askUnresolved = int64(3e9)
	askUnmanaged  = int64(15e9) // kernels without managed entries forget
)

type neighKey struct {
	index int
	addr  netip.Addr
}

// kernelNeigh keeps the kernel's neighbours resolved for the next-hops of
// untagged interfaces. Requests and notifications run on goroutines of its own;
// news is posted to the loop.
type kernelNeigh struct {
	conn  *rtnl.Conn
	watch *rtnl.Watcher
	post  func(func()) bool
	news  func(id uint16, n neigh.Neighbour) // runs on the loop
	work  chan struct{}
	done  sync.WaitGroup

	mu     sync.Mutex // guards the rest
	wanted map[neighKey]*wantedNeigh
	todo   []neighTodo
	closed bool
}

type wantedNeigh struct {
	id      uint16
	managed bool
	state   neigh.State
	asked   int64
}

type neighTodo struct {
	key   neighKey
	start bool
}

func newKernelNeigh(post func(func()) bool, news func(uint16, neigh.Neighbour)) (*kernelNeigh, error) {
	c, err := rtnl.Dial()
	if err != nil {
		return nil, err
	}
	k := &kernelNeigh{conn: c, post: post, news: news, work: make(chan struct{}, 1), wanted: map[neighKey]*wantedNeigh{}}
	if k.watch, err = neigh.Watch(k.changed); err != nil {
		c.Close()
		return nil, err
	}
	k.done.Go(k.requests)
	return k, nil
}

// want starts or ends the management of a neighbour for next-hop id.
func (k *kernelNeigh) want(key neighKey, id uint16, start bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if start {
		k.wanted[key] = &wantedNeigh{id: id}
	} else {
		delete(k.wanted, key)
	}
	k.push(neighTodo{key, start})
}

// push queues a request; mu is held.
func (k *kernelNeigh) push(t neighTodo) {
	if k.closed {
		return
	}
	k.todo = append(k.todo, t)
	select {
	case k.work <- struct{}{}:
	default:
	}
}

// again asks for neighbours that are not resolved (an interface that went down
// forgets its entries) and, without managed entries, for all of them.
func (k *kernelNeigh) again(now int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, w := range k.wanted {
		every := askUnresolved
		if w.state == neigh.Resolved {
			if every = askUnmanaged; w.managed {
				continue
			}
		}
		if w.asked == 0 {
			w.asked = now
		} else if now-w.asked >= every {
			w.asked = now
			k.push(neighTodo{key, true})
		}
	}
}

// requests sends the queued requests until close.
func (k *kernelNeigh) requests() {
	var room [stackRoom]byte
	runtime.KeepAlive(&room)
	for range k.work {
		for {
			k.mu.Lock()
			list := k.todo
			k.todo = nil
			k.mu.Unlock()
			if len(list) == 0 {
				break
			}
			for _, t := range list {
				k.request(t)
			}
		}
	}
}

// request carries one request out. Errors (a device that is down) are no news:
// again repeats the request.
func (k *kernelNeigh) request(t neighTodo) {
	k.mu.Lock()
	_, want := k.wanted[t.key]
	k.mu.Unlock()
	if want != t.start {
		return // overtaken by a later request
	}
	if !t.start {
		_ = neigh.Release(k.conn, t.key.index, t.key.addr)
		return
	}
	managed, err := neigh.Manage(k.conn, t.key.index, t.key.addr)
	if err != nil {
		return
	}
	k.mu.Lock()
	if w := k.wanted[t.key]; w != nil {
		w.managed = managed
	}
	k.mu.Unlock()
	// An entry that was there before sends no notification.
	if n, err := neigh.Get(k.conn, t.key.index, t.key.addr); err == nil {
		k.tell(n)
	}
}

// changed is called by the watcher.
func (k *kernelNeigh) changed(c neigh.Change) {
	if c.Lost {
		k.resync()
		return
	}
	if c.Deleted {
		c.Neighbour.State = neigh.Unresolved
	}
	k.tell(c.Neighbour)
}

// tell posts news of a neighbour that is wanted and differs from what is known.
func (k *kernelNeigh) tell(n neigh.Neighbour) {
	k.mu.Lock()
	w := k.wanted[neighKey{n.Index, n.Addr}]
	if w == nil {
		k.mu.Unlock()
		return
	}
	w.state = n.State
	id := w.id
	k.mu.Unlock()
	k.post(func() { k.news(id, n) })
}

// resync reads all neighbours after notifications were lost.
func (k *kernelNeigh) resync() {
	list, err := neigh.List(k.conn)
	if err != nil {
		return // again asks for each
	}
	for _, n := range list {
		k.tell(n)
	}
}

// close ends the goroutines and, unless keep, releases our neighbours.
func (k *kernelNeigh) close(keep bool) error {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	close(k.work)
	k.done.Wait()
	err := k.watch.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	for key := range k.wanted {
		if !keep {
			err = errors.Join(err, neigh.Release(k.conn, key.index, key.addr))
		}
	}
	clear(k.wanted)
	return errors.Join(err, k.conn.Close())
}
