package guard

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// ErrNoNFTables: this kernel has no nftables, or not for the netdev family
// (CONFIG_NF_TABLES, CONFIG_NF_TABLES_NETDEV, CONFIG_NETFILTER_INGRESS).
var ErrNoNFTables = errors.New("kernel has no nftables for netdev ingress")

// Apply replaces the owner's tables in one transaction in the network namespace
// of the calling thread: there is no moment without rules. Applied twice it
// changes nothing. All devices must exist.
func Apply(cfg Config) error {
	c, err := cfg.normal()
	if err != nil {
		return fmt.Errorf("guard: %w", err)
	}
	return change(c.Owner, func(conn *nftables.Conn, name string) error {
		if err := c.addNetdev(conn, name); err != nil {
			return err
		}
		c.addInput(conn, name)
		return nil
	})
}

// Remove deletes the owner's tables, if there are any.
func Remove(owner string) error {
	return change(owner, func(*nftables.Conn, string) error { return nil })
}

// change deletes the owner's tables and makes them anew with fn, all in one
// transaction. Adding before deleting makes the deletion succeed always.
func change(owner string, fn func(*nftables.Conn, string) error) error {
	name, err := table(owner)
	if err != nil {
		return fmt.Errorf("guard: %w", err)
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("guard: open nftables: %w", explain(err))
	}
	for _, f := range []nftables.TableFamily{nftables.TableFamilyNetdev, nftables.TableFamilyINet} {
		t := &nftables.Table{Name: name, Family: f}
		conn.AddTable(t)
		conn.DelTable(t)
	}
	if err := fn(conn, name); err != nil {
		return fmt.Errorf("guard: build rules: %w", err)
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("guard: apply rules: %w", explain(err))
	}
	return nil
}

// explain adds ErrNoNFTables to the errors a kernel without nftables gives.
func explain(err error) error {
	for _, e := range []error{unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT} {
		if errors.Is(err, e) {
			return errors.Join(ErrNoNFTables, err)
		}
	}
	return err
}

// addNetdev builds the netdev table: for each IP version a set of own addresses
// and a chain about packets to them, and one base chain per device.
func (c Config) addNetdev(conn *nftables.Conn, name string) error {
	t := conn.AddTable(&nftables.Table{Name: name, Family: nftables.TableFamilyNetdev})
	own4, err := addSet(conn, t, "own4", c.Addrs, false)
	if err != nil {
		return err
	}
	own6, err := addSet(conn, t, "own6", c.Addrs, true)
	if err != nil {
		return err
	}
	for _, s := range []*nftables.Set{own4, own6} {
		chain := conn.AddChain(&nftables.Chain{Name: s.Name, Table: t})
		addRules(conn, t, chain, guarded(c.Addrs, s == own6, nil))
	}
	accept := nftables.ChainPolicyAccept
	for _, dev := range c.Devices {
		chain := conn.AddChain(&nftables.Chain{Name: "ingress-" + dev, Table: t, Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookIngress, Priority: nftables.ChainPriorityRef(-500), Device: dev, Policy: &accept})
		addRules(conn, t, chain, ingress(own4, own6, slices.Contains(c.Clients, dev)))
	}
	return nil
}

func addSet(conn *nftables.Conn, t *nftables.Table, name string, addrs []Address, v6 bool) (*nftables.Set, error) {
	s := &nftables.Set{Table: t, Name: name, KeyType: nftables.TypeIPAddr}
	if v6 {
		s.KeyType = nftables.TypeIP6Addr
	}
	var elements []nftables.SetElement
	for _, a := range addrs {
		if a.Addr.Is6() == v6 {
			elements = append(elements, nftables.SetElement{Key: a.Addr.AsSlice()})
		}
	}
	return s, conn.AddSet(s, elements)
}

func (c Config) addInput(conn *nftables.Conn, name string) {
	t := conn.AddTable(&nftables.Table{Name: name, Family: nftables.TableFamilyINet})
	accept := nftables.ChainPolicyAccept
	chain := conn.AddChain(&nftables.Chain{Name: "input", Table: t, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityRef(-500), Policy: &accept})
	addRules(conn, t, chain, input(c.Addrs))
}

func addRules(conn *nftables.Conn, t *nftables.Table, chain *nftables.Chain, rules [][]expr.Any) {
	for _, r := range rules {
		conn.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: r})
	}
}

// Status is what is there of an owner's guard.
type Status struct {
	Devices []string // with an ingress chain
	Input   bool     // the inet table exists
}

// Read returns what is there of an owner's guard in the network namespace of
// the calling thread.
func Read(owner string) (Status, error) {
	name, err := table(owner)
	if err != nil {
		return Status{}, fmt.Errorf("guard: %w", err)
	}
	conn, err := nftables.New()
	if err != nil {
		return Status{}, fmt.Errorf("guard: open nftables: %w", explain(err))
	}
	chains, err := conn.ListChains()
	if err != nil {
		return Status{}, fmt.Errorf("guard: list chains: %w", explain(err))
	}
	var s Status
	for _, c := range chains {
		if c.Table.Name != name {
			continue
		}
		if c.Table.Family == nftables.TableFamilyINet {
			s.Input = true
		} else if dev, ok := deviceOf(c.Name); ok {
			s.Devices = append(s.Devices, dev)
		}
	}
	return s, nil
}

func deviceOf(chain string) (string, bool) {
	const prefix = "ingress-"
	if len(chain) <= len(prefix) || chain[:len(prefix)] != prefix {
		return "", false
	}
	return chain[len(prefix):], true
}
