package peer

const never = int64(1<<63 - 1)

// item is what wakes at a time: a path or a neighbour.
type item interface {
	wake(s *Set, now int64)
	clock() *alarmClock
}

// alarmClock is an item's place in the schedule.
type alarmClock struct {
	at    int64
	index int
}

// schedule is a heap of items by time. It is made once and never allocates.
type schedule []item

func (q schedule) less(i, j int) bool { return q[i].clock().at < q[j].clock().at }

func (q schedule) swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].clock().index, q[j].clock().index = i, j
}

// fix moves item i to where its time belongs.
func (q schedule) fix(i int) {
	for i > 0 && q.less(i, (i-1)/2) {
		q.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		c := 2*i + 1
		if c >= len(q) {
			return
		}
		if c+1 < len(q) && q.less(c+1, c) {
			c++
		}
		if !q.less(c, i) {
			return
		}
		q.swap(i, c)
		i = c
	}
}

func (q *schedule) add(it item) {
	it.clock().index = len(*q)
	*q = append(*q, it)
	q.fix(len(*q) - 1)
}

// set gives an item another time.
func (q schedule) set(it item, at int64) {
	it.clock().at = at
	q.fix(it.clock().index)
}
