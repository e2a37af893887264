package watch

import "slices"

// A hub with many paths hears several packets within a millisecond, all the time. To be
// woken for each one costs more than to work it in. So a socket that is never quiet
// rests: nobody is woken for what arrives, the timer looks for it whenever it comes
// round, and what came is dated by the kernel. A path's detection time is 300 ms or
// more in the configurations that a hub has, and grain a percent of that.

// tireless is how many times in a row a socket may wake its reader within grain.
const tireless = 16

// rest is whether a socket rests; the Watcher's mu guards it.
type rest struct {
	woke    int64         // when the reader woke last
	quick   int           // times in a row that it was within grain
	looked  int64         // when nothing was left to read
	quiet   int           // looks in a row that found nothing
	stamped bool          // the kernel dates what arrives
	back    chan struct{} // to the reader: the socket is its own again
}

// tires notes that the reader woke, and tells whether it did so too often; mu is held.
func (s *socket) tires(now int64) bool {
	r := &s.rest
	if now-r.woke < grain {
		r.quick++
	} else {
		r.quick = 0
	}
	r.woke = now
	return r.quick >= tireless && s.scratch == 0
}

// begin has a socket rest; false: it cannot. mu is held.
func (w *Watcher) begin(s *socket) bool {
	r := &s.rest
	r.quick, r.quiet = 0, 0
	if !r.stamped {
		if err := s.Stamp(); err != nil {
			w.log.Debug("BFD is dated when it is read", "error", err)
		}
		r.stamped = true
	}
	if err := s.Mute(true); err != nil {
		w.log.Debug("BFD wakes a reader for each packet", "error", err)
		return false
	}
	w.resting = append(w.resting, s)
	w.wake()
	return true
}

// awake is how many looks in a row that find nothing end a rest.
const awake = 5

// mostBatches bounds what is read of a socket before its paths' timers have their turn.
const mostBatches = 64

// lookRound reads the sockets that rest. One where nothing came goes back to its reader.
// mu is held.
func (w *Watcher) lookRound(now int64) {
	w.resting = slices.DeleteFunc(w.resting, func(s *socket) bool {
		if now-s.rest.looked < grain/2 { // the timer came round for something else
			return false
		}
		n := s.Receive()
		if n == 0 {
			s.rest.looked = now
			s.rest.quiet++
			return s.rest.quiet >= awake && w.end(s)
		}
		s.rest.quiet = 0
		for range mostBatches {
			w.take(s, n, now)
			if n < s.Batch() {
				break
			}
			n = s.Receive()
		}
		return false
	})
}

// end gives a socket back to its reader; false: it cannot. mu is held.
func (w *Watcher) end(s *socket) bool {
	if err := s.Mute(false); err != nil {
		return false // it was closed
	}
	s.rest.back <- struct{}{} // there is room for one, and only one rest
	return true
}
