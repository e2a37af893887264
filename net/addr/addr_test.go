package addr_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/net/addr"
	"waymark/net/link"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/rtnl"
)

func a(index int, prefix string, ours bool) addr.Address {
	return addr.Address{Index: index, Prefix: netip.MustParsePrefix(prefix), Ours: ours}
}

func TestMakePlan(t *testing.T) {
	for _, tt := range []struct {
		name       string
		have, want []addr.Address
		plan       addr.Plan
	}{
		{"nothing", nil, nil, addr.Plan{}},
		{"new", nil, []addr.Address{a(2, "10.0.0.1/24", false)}, addr.Plan{Add: []addr.Address{a(2, "10.0.0.1/24", false)}}},
		{"twice wanted", nil, []addr.Address{a(2, "10.0.0.1/24", false), a(2, "10.0.0.1/24", false)},
			addr.Plan{Add: []addr.Address{a(2, "10.0.0.1/24", false)}}},
		{"there already", []addr.Address{a(2, "10.0.0.1/24", true)}, []addr.Address{a(2, "10.0.0.1/24", false)}, addr.Plan{}},
		{"there by somebody else", []addr.Address{a(2, "10.0.0.1/24", false)}, []addr.Address{a(2, "10.0.0.1/24", false)}, addr.Plan{}},
		{"ours goes", []addr.Address{a(2, "10.0.0.1/24", true)}, nil, addr.Plan{Remove: []addr.Address{a(2, "10.0.0.1/24", true)}}},
		{"not ours stays", []addr.Address{a(2, "10.0.0.1/24", false)}, nil, addr.Plan{}},
		{"other length, other interface", []addr.Address{a(2, "10.0.0.1/24", true)},
			[]addr.Address{a(2, "10.0.0.1/25", false), a(3, "10.0.0.1/24", false)},
			addr.Plan{Remove: []addr.Address{a(2, "10.0.0.1/24", true)},
				Add: []addr.Address{a(2, "10.0.0.1/25", false), a(3, "10.0.0.1/24", false)}}},
	} {
		if got := addr.MakePlan(tt.have, tt.want); !reflect.DeepEqual(got, tt.plan) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.plan)
		}
	}
}

// conn runs fn with a connection inside a namespace that has a veth interface
// "v0", whose address 192.0.2.1/24 is not ours.
func conn(t *testing.T, fn func(c *rtnl.Conn, index int) error) {
	t.Helper()
	ns, far := nstest.New(t), nstest.New(t)
	nstest.Veth(t, netns.End{NS: ns, Name: "v0"}, netns.End{NS: far, Name: "v1"})
	nstest.In(t, ns, func() error {
		c, err := rtnl.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		l, err := link.ByName(c, "v0")
		if err != nil {
			return err
		}
		return fn(c, l.Index)
	})
}

func ours(c *rtnl.Conn) (list []string, err error) {
	have, err := addr.List(c)
	for _, x := range have {
		if x.Ours {
			list = append(list, x.Prefix.String())
		}
	}
	slices.Sort(list)
	return list, err
}

func TestApply(t *testing.T) {
	conn(t, func(c *rtnl.Conn, index int) error {
		for _, step := range [][]string{
			{"10.0.0.1/24", "fd00::1/64", "10.9.9.9/32"},
			{"10.0.0.1/24", "fd00::2/64"},
			{},
		} {
			var want []addr.Address
			for _, s := range step {
				want = append(want, a(index, s, false))
			}
			if _, err := addr.Apply(c, want); err != nil {
				return err
			}
			p, err := addr.Apply(c, want)
			if err != nil || !p.Empty() {
				return fmt.Errorf("second apply of %v: %+v, %v", step, p, err)
			}
			got, err := ours(c)
			slices.Sort(step)
			if err != nil || !slices.Equal(got, step) {
				return fmt.Errorf("got %v, %v, want %v", got, err, step)
			}
		}
		return nil
	})
}

// IPv6 addresses serve at once, and somebody else's link-local one stays.
func TestApplyNoDAD(t *testing.T) {
	conn(t, func(c *rtnl.Conn, index int) error {
		if _, err := addr.Apply(c, []addr.Address{a(index, "fd00::1/64", false)}); err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		sa := &unix.SockaddrInet6{Addr: netip.MustParseAddr("fd00::1").As16()}
		if err := unix.Bind(fd, sa); err != nil {
			return fmt.Errorf("address is not usable at once: %w", err)
		}
		have, err := addr.List(c)
		if err != nil {
			return err
		}
		for _, x := range have {
			if x.Index == index && x.Prefix.Addr().IsLinkLocalUnicast() && !x.Ours {
				return nil
			}
		}
		return errors.New("no link-local address of the kernel's left")
	})
}

func TestWatch(t *testing.T) {
	conn(t, func(c *rtnl.Conn, index int) error {
		events := make(chan addr.Change, 64)
		w, err := addr.Watch(func(e addr.Change) { events <- e })
		if err != nil {
			return err
		}
		defer w.Close()
		want := []addr.Address{a(index, "10.0.0.1/24", false)}
		if _, err := addr.Apply(c, want); err != nil {
			return err
		}
		if _, err := addr.Apply(c, nil); err != nil {
			return err
		}
		for _, deleted := range []bool{false, true} {
			for {
				select {
				case e := <-events:
					if e.Address.Prefix != want[0].Prefix {
						continue
					}
					if e.Deleted != deleted || !e.Address.Ours || e.Address.Index != index {
						return fmt.Errorf("got %+v, want deleted %t", e, deleted)
					}
				case <-time.After(time.Minute):
					return errors.New("no notification")
				}
				break
			}
		}
		return nil
	})
}
