package router

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A loop that goes round answers at once; one that hangs is asked once, however
// often somebody wants to know, and found alive as soon as it goes on.
func TestQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q question
		var asked atomic.Int32
		loop := make(chan func())
		ask := func(fn func()) { asked.Add(1); loop <- fn }
		hang := make(chan struct{})
		go func() {
			for n := 0; ; n++ {
				if n == 3 {
					<-hang
				}
				fn, ok := <-loop
				if !ok {
					return
				}
				fn()
			}
		}()
		for n := range 3 {
			if begun := time.Now(); !q.wait(ask, roundLimit) || time.Since(begun) != 0 {
				t.Errorf("question %d: not answered at once", n)
			}
		}
		for range 4 {
			if begun := time.Now(); q.wait(ask, roundLimit) || time.Since(begun) != roundLimit {
				t.Errorf("a loop that hangs: answered after %v", time.Since(begun))
			}
		}
		if n := asked.Load(); n != 4 {
			t.Errorf("%d questions, want 3 and the one that hangs", n)
		}
		close(hang)
		for n := range 2 {
			if !q.wait(ask, roundLimit) {
				t.Errorf("answer %d behind the hang: none", n)
			}
		}
		if n := asked.Load(); n != 5 {
			t.Errorf("%d questions in the end", n)
		}
		close(loop)
	})
}
