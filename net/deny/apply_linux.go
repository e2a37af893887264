package deny

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Table is the name of our table, of family inet.
const Table = "waymark-host"

// chainPrefix begins the chain of an owner.
const chainPrefix = "open-"

func table() *nftables.Table {
	return &nftables.Table{Name: Table, Family: nftables.TableFamilyINet}
}

func input(t *nftables.Table) *nftables.Chain {
	drop := nftables.ChainPolicyDrop
	return &nftables.Chain{Name: "input", Table: t, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter, Policy: &drop}
}

// Apply closes the network namespace of the calling thread, in one transaction.
// Openings of before are gone.
func Apply() error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("deny by default: %w", err)
	}
	t := table()
	conn.AddTable(t) // so that deleting it succeeds always
	conn.DelTable(t)
	conn.AddTable(t)
	in := conn.AddChain(input(t))
	for _, r := range always() {
		conn.AddRule(&nftables.Rule{Table: t, Chain: in, Exprs: r})
	}
	drop := nftables.ChainPolicyDrop
	conn.AddChain(&nftables.Chain{Name: "forward", Table: t, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter, Policy: &drop})
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("deny by default: %w", err)
	}
	return nil
}

// Open replaces an owner's openings in the network namespace of the calling
// thread; none closes again. It does nothing where nothing was denied.
func Open(owner string, openings []Opening) error {
	for _, o := range openings {
		if err := o.check(); err != nil {
			return err
		}
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open for %s: %w", owner, err)
	}
	if there, err := applied(conn); err != nil || !there {
		return err
	}
	jumps, err := jumpsTo(conn, owner)
	if err != nil {
		return fmt.Errorf("open for %s: %w", owner, err)
	}
	t := table()
	chain := conn.AddChain(&nftables.Chain{Name: chainPrefix + owner, Table: t})
	conn.FlushChain(chain)
	for _, o := range openings {
		for _, r := range o.rules() {
			conn.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: r})
		}
	}
	if !jumps {
		conn.AddRule(&nftables.Rule{Table: t, Chain: input(t), Exprs: jump(owner)})
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("open for %s: %w", owner, err)
	}
	return nil
}

func jump(owner string) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: chainPrefix + owner}}
}

// applied says whether our table is there. A kernel without nftables has none.
func applied(conn *nftables.Conn) (bool, error) {
	list, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list nftables: %w", err)
	}
	return slices.ContainsFunc(list, func(t *nftables.Table) bool { return t.Name == Table }), nil
}

// jumpsTo says whether the input chain leads to the owner's.
func jumpsTo(conn *nftables.Conn, owner string) (bool, error) {
	rules, err := conn.GetRules(table(), &nftables.Chain{Name: "input"})
	if err != nil {
		return false, err
	}
	for _, r := range rules {
		for _, e := range r.Exprs {
			if v, ok := e.(*expr.Verdict); ok && v.Chain == chainPrefix+owner {
				return true, nil
			}
		}
	}
	return false, nil
}
