package dnsd

import (
	"container/list"
	"encoding/binary"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"waymark/net/resolve"
)

// Bounds of the cache. An answer larger than maxAnswer is not kept, so that it
// never takes more than about 1 MB.
const (
	maxEntries  = 512
	maxAnswer   = resolve.UDPSize
	maxTTL      = time.Hour
	maxNegative = 5 * time.Minute
)

// key is what makes two questions equal.
type key struct {
	name     string // lower case
	kind     dnsmessage.Type
	checking bool
	dnssec   bool
}

func keyOf(q resolve.Query) key {
	return key{strings.ToLower(q.Question.Name.String()), q.Question.Type, q.CheckingDisabled, q.DNSSEC}
}

type entry struct {
	key     key
	msg     *dnsmessage.Message // nobody changes it
	since   time.Time
	expires time.Time
}

// cache keeps answers as long as they hold; the one used longest ago goes first.
type cache struct {
	byKey map[key]*list.Element
	used  *list.List // of *entry, newest first
}

func newCache() *cache { return &cache{byKey: map[key]*list.Element{}, used: list.New()} }

// get returns an answer with its times run down.
func (c *cache) get(k key, now time.Time) *dnsmessage.Message {
	el := c.byKey[k]
	if el == nil {
		return nil
	}
	e := el.Value.(*entry)
	if !now.Before(e.expires) {
		c.used.Remove(el)
		delete(c.byKey, k)
		return nil
	}
	c.used.MoveToFront(el)
	return aged(e.msg, now.Sub(e.since))
}

// aged is a copy of a message with its times run down.
func aged(m *dnsmessage.Message, age time.Duration) *dnsmessage.Message {
	n := *m
	for _, s := range []*[]dnsmessage.Resource{&n.Answers, &n.Authorities, &n.Additionals} {
		*s = append([]dnsmessage.Resource(nil), *s...)
		for i := range *s {
			h := &(*s)[i].Header
			h.TTL -= min(h.TTL, uint32(age/time.Second))
		}
	}
	return &n
}

// put keeps an answer if it may be kept.
func (c *cache) put(k key, m *dnsmessage.Message, size int, now time.Time) {
	ttl := lifetime(m)
	if ttl <= 0 || size > maxAnswer {
		return
	}
	if el := c.byKey[k]; el != nil {
		c.used.Remove(el)
	}
	c.byKey[k] = c.used.PushFront(&entry{key: k, msg: m, since: now, expires: now.Add(ttl)})
	if c.used.Len() > maxEntries {
		old := c.used.Back()
		c.used.Remove(old)
		delete(c.byKey, old.Value.(*entry).key)
	}
}

// lifetime is how long an answer holds; 0: it is not to be kept. What does not
// exist holds as long as its zone says (RFC 2308).
func lifetime(m *dnsmessage.Message) time.Duration {
	if m.RCode != dnsmessage.RCodeSuccess && m.RCode != dnsmessage.RCodeNameError || m.Truncated {
		return 0
	}
	least, negative := uint32(1<<31), m.RCode == dnsmessage.RCodeNameError || len(m.Answers) == 0
	soa := false
	for _, s := range [][]dnsmessage.Resource{m.Answers, m.Authorities, m.Additionals} {
		for _, r := range s {
			least = min(least, r.Header.TTL)
			if b, ok := r.Body.(*dnsmessage.SOAResource); ok {
				soa, least = true, min(least, b.MinTTL)
			}
		}
	}
	d := time.Duration(least) * time.Second
	switch {
	case negative && !soa:
		return 0
	case negative:
		return min(d, maxNegative)
	}
	return min(d, maxTTL)
}

// udpRoom is how large an answer by UDP a host takes, and whether it speaks
// EDNS and wants signatures.
func udpRoom(m *dnsmessage.Message) (size int, edns, dnssec bool) {
	for _, r := range m.Additionals {
		if r.Header.Type == dnsmessage.TypeOPT {
			return min(max(int(r.Header.Class), 512), 4096), true, r.Header.DNSSECAllowed()
		}
	}
	return 512, false, false
}

// length prefixes a message for TCP.
func length(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}
