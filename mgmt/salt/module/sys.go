package module

import (
	"context"

	"waymark/mgmt/salt/msgpack"
)

var sysTable = map[string]function{
	"sys.list_functions": {usage: "*modules", doc: "Return the names of functions, of some modules or of all.", max: -1, run: listFunctions},
	"sys.doc":            {usage: "*names", doc: "Return what functions do, of some modules or of all.", max: -1, run: docs},
}

// chosen are the functions that arguments name: modules, functions or patterns.
func chosen(c *Call) ([]string, error) {
	if len(c.Args) == 0 {
		return c.Set.Names(), nil
	}
	out := []string{}
	for _, name := range c.Set.Names() {
		for n := range c.Args {
			pattern, err := c.text(n, "name", "")
			if err != nil {
				return nil, err
			}
			if globbed(pattern, name) {
				out = append(out, name)
				break
			}
		}
	}
	return out, nil
}

func listFunctions(_ context.Context, c *Call) (any, error) { return chosen(c) }

func docs(_ context.Context, c *Call) (any, error) {
	names, err := chosen(c)
	if err != nil {
		return nil, err
	}
	out := msgpack.Map{}
	for _, name := range names {
		f := c.Set.table[name]
		out.Set(name, name+"("+f.usage+")\n\n"+f.doc)
	}
	return out, nil
}
