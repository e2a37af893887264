package fast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"waymark/svr/pool"
)

// Lane is the owner's handle of the programs and maps in the kernel.
type Lane struct {
	cfg     Config
	adopted bool
	mu      sync.Mutex // guards older
	older   *older     // lanes of other layouts behind ours, nil: none
	maps    map[string]*ebpf.Map
	table   []byte // mmapped
	hops    []byte // mmapped
	netifs  []byte // mmapped
	tap     *tap
	ports   map[int]*port // by ifindex: what is attached
	out     egress
	cutter  int // interface to send to, 0: none
	rings   *rings

	steering sync.Mutex // guards steered
	steered  bool       // the TAP has its program
}

// Open takes over the lane that an earlier process left on cfg.Devices, or makes
// a new one that is attached nowhere yet. Adopted tells which. It fails with
// ErrRefused, ErrOwned or ErrVersion where callers have a choice. What it found
// and could not take over stays on the devices then, until Clear.
func Open(cfg Config) (*Lane, error) {
	cfg = cfg.defaults()
	// Kernels before 5.11 count maps as locked memory; to find out, as the BPF library
	// would, costs every process of the program a map.
	_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	l := &Lane{cfg: cfg, ports: make(map[int]*port)}
	if err := l.open(); err != nil {
		if l.tap != nil && !l.adopted && l.older == nil {
			_ = l.tap.remove() // the first error is the one to tell
		}
		l.release()
		return nil, fmt.Errorf("open fast lane: %w", err)
	}
	return l, nil
}

func (l *Lane) open() (err error) {
	if !l.cfg.Fresh {
		if err = l.adopt(); err != nil {
			return err
		}
	}
	if l.maps == nil {
		if l.maps, err = createMaps(l.cfg); err != nil {
			return err
		}
	}
	if l.table == nil {
		if l.table, err = mapMemory(l.maps[mapTable]); err != nil {
			return err
		}
	}
	if err = l.beginOlder(); err != nil {
		return err
	}
	if l.hops, err = mapMemory(l.maps[mapHops]); err != nil {
		return err
	}
	if l.netifs, err = mapMemory(l.maps[mapNetifs]); err != nil {
		return err
	}
	if l.tap, err = openTap(l.cfg); err != nil || l.tap == nil {
		return err
	}
	if err = l.openRings(); err != nil || !l.adopted {
		return err
	}
	return l.steer() // programs punt to it already
}

// openRings makes the rings and gives them to their reader.
func (l *Lane) openRings() (err error) {
	if l.cfg.Ring <= 0 || l.cfg.Workers > 1 {
		return nil
	}
	if l.maps[mapRing], err = createRings(l.cfg.Ring); err != nil {
		delete(l.maps, mapRing)
		return err
	}
	if l.rings, err = openRings(l.maps[mapRing], l.cfg.Ring); err != nil {
		return err
	}
	known, first := l.Queues(0)
	known.ring, first.ring = l.rings.known, l.rings.first
	return nil
}

// steer gives the TAP, if there is one, the program that chooses queues, once; the TAP
// keeps it. Nothing comes to a new TAP before a program does: it is steered then.
func (l *Lane) steer() error {
	l.steering.Lock()
	defer l.steering.Unlock()
	if l.tap == nil || l.steered {
		return nil
	}
	prog, err := l.load(progSteer, constants{"workers": uint32(l.cfg.Workers)})
	if err != nil {
		return err
	}
	defer prog.Close()
	if err = l.tap.steer(prog); err == nil {
		l.steered = true
	}
	return err
}

// Adopted tells that the table was made, and may be filled, by an earlier
// process: use pool.Open on Memory, not pool.NewTable.
func (l *Lane) Adopted() bool { return l.adopted }

// Memory returns the memory of the session table, for pool.NewTable or
// pool.Open. It stays mapped until Close.
func (l *Lane) Memory() []byte { return l.table[:l.maps[mapTable].ValueSize()] }

// Monotonic returns CLOCK_MONOTONIC in nanoseconds, the clock that the program
// stamps slots with: pool.TableConfig.Clock is its value when the router's own
// clock stood at 0.
func Monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail
	return ts.Nano()
}

// Barrier makes every CPU that runs our threads order its memory accesses: for
// pool.TableConfig.Barrier.
func Barrier() {
	_, _, _ = unix.Syscall(unix.SYS_MEMBARRIER, membarrierGlobalExpedited, 0, 0)
}

const membarrierGlobalExpedited = 2 // MEMBARRIER_CMD_GLOBAL_EXPEDITED

// NetifConfig is a network-interface as egress.
type NetifConfig struct {
	Index int     // Linux interface
	MAC   [6]byte // source address
	VLAN  uint16  // 0: untagged
	MTU   uint16
	L3    bool // the interface has no link header
	XDP   bool // takes XDP frames: hits of XDP programs go straight to it
}

// SetNetif tells how packets leave by network-interface id; Index 0 takes it
// away, packets to it are punted then.
func (l *Lane) SetNetif(id uint16, c NetifConfig) error {
	if uint32(id) >= l.maps[mapDevs].MaxEntries() {
		return fmt.Errorf("set network-interface %d: table too small: %w", id, ErrConfig)
	}
	v := netifValue{index: uint32(c.Index), vlan: c.VLAN, mac: c.MAC, mtu: c.MTU}
	if c.L3 {
		v.flags |= netifL3
	}
	if c.XDP && !c.L3 {
		if err := l.maps[mapDevs].Put(uint32(id), v.index); err != nil {
			return fmt.Errorf("set XDP egress %d: %w", id, err)
		}
		v.flags |= netifXDP
	}
	old := binary.NativeEndian.Uint32(l.netifs[int(id)*netifSize:])
	l.storeNetif(id, &v)
	if v.flags&netifXDP == 0 {
		_ = l.maps[mapDevs].Delete(uint32(id)) // none is fine
	}
	for _, index := range []int{int(old), c.Index} {
		if index != 0 {
			_, takes := l.XDP(index)
			l.out.follow(index, takes)
		}
	}
	return nil
}

// storeNetif writes a value in two stores of eight bytes.
func (l *Lane) storeNetif(id uint16, v *netifValue) {
	b := *(*[netifSize]byte)(unsafe.Pointer(v))
	for i := netifSize - 8; i >= 0; i -= 8 {
		p := (*uint64)(unsafe.Pointer(&l.netifs[int(id)*netifSize+i]))
		atomic.StoreUint64(p, binary.NativeEndian.Uint64(b[i:]))
	}
}

// SetHop publishes the link address of a next-hop and the network-interface it
// is on, in one store. It tells whether another one stood there. Any goroutine.
func (l *Lane) SetHop(id uint16, mac [6]byte, netif uint16) (moved bool) {
	var b [8]byte
	copy(b[:], mac[:])
	binary.NativeEndian.PutUint16(b[6:], netif+1)
	v := binary.NativeEndian.Uint64(b[:])
	old := l.storeHop(id, v)
	return old != 0 && old != v
}

// ClearHop makes packets to a next-hop go to Go: not resolved, or gone.
func (l *Lane) ClearHop(id uint16) { l.storeHop(id, 0) }

func (l *Lane) storeHop(id uint16, v uint64) (old uint64) {
	if uint32(id) < l.maps[mapHops].ValueSize()/hopSize {
		old = atomic.SwapUint64((*uint64)(unsafe.Pointer(&l.hops[int(id)*8])), v)
	}
	return old
}

// header reads the table's header; without a table there is nothing to attach.
func (l *Lane) header() (pool.Header, [hashKeys]uint64, error) {
	h, err := pool.ReadHeader(l.Memory())
	var keys [hashKeys]uint64
	for i := range keys {
		keys[i] = binary.NativeEndian.Uint64(l.table[offHash+8*i:])
	}
	return h, keys, err
}

// Close ends this process's hold. With keep the programs go on forwarding and
// the TAP drops what they punt, until Open adopts them; otherwise everything of
// ours is taken off the devices. A second call does nothing.
func (l *Lane) Close(keep bool) error {
	var err error
	if l.cutter != 0 {
		err = removeCutter(l.cfg.Cutter)
	}
	if !keep {
		for index := range l.ports {
			err = errors.Join(err, l.Detach(index))
		}
		if l.tap != nil {
			err = errors.Join(err, l.tap.remove())
		}
	}
	l.release()
	return err
}

// release closes descriptors and unmaps memory.
func (l *Lane) release() {
	for _, m := range []*[]byte{&l.table, &l.hops, &l.netifs} {
		if *m != nil {
			_ = unix.Munmap(*m)
			*m = nil
		}
	}
	l.rings.close()
	closeMaps(l.maps)
	l.older.close()
	for _, p := range l.ports {
		p.close()
	}
	if l.tap != nil {
		l.tap.close()
	}
	l.maps, l.ports, l.tap, l.older, l.cutter, l.rings = nil, nil, nil, nil, 0, nil
}
