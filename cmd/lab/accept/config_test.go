package accept

import (
	"encoding/json"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
)

// tree is a container of a configuration.
type tree map[string]any

// acmeWith returns acme.json with changes, for what the example leaves out.
func acmeWith(t *testing.T, changes ...func(authority tree)) []byte {
	t.Helper()
	var root map[string]tree
	if err := json.Unmarshal(world.Acme(), &root); err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(root["authority"])
	}
	out, err := json.MarshalIndent(root, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// at walks to a container; a step below a list is the name of its element. A
// path that leads nowhere is a mistake of the test and panics.
func (c tree) at(path string) tree {
	for at, rest := any(c), path; ; {
		if rest == "" {
			return asTree(at)
		}
		var step string
		step, rest, _ = strings.Cut(rest, "/")
		if list, ok := at.([]any); ok {
			at = element(list, step)
		} else {
			at = asTree(at)[step]
		}
		if at == nil {
			panic("no " + step + " in " + path)
		}
	}
}

func asTree(v any) tree {
	switch v := v.(type) {
	case tree:
		return v
	case map[string]any:
		return v
	}
	panic("not a container")
}

func element(list []any, name string) any {
	for _, e := range list {
		if asTree(e)["name"] == name {
			return e
		}
	}
	return nil
}

// add appends elements to a list of the container.
func (c tree) add(list string, elements ...tree) {
	old, _ := c[list].([]any)
	for _, e := range elements {
		old = append(old, e)
	}
	c[list] = old
}

// Places in acme.json.
const (
	branchNode = "router/branch1/node/node1/device-interface"
	hubNode    = "router/hub1/node/node1/device-interface"
	branchWan  = branchNode + "/fiber/network-interface/fiber"
	branchLan  = branchNode + "/lan/network-interface/lan"
	hubWan     = hubNode + "/wan/network-interface/wan"
	hubLan     = hubNode + "/dc/network-interface/dc"
)

// ports is a transport element: a protocol and single ports.
func ports(protocol string, list ...int) tree {
	var ranges []any
	for _, p := range list {
		ranges = append(ranges, tree{"start-port": p})
	}
	return tree{"protocol": protocol, "port-range": ranges}
}

// shortTimers gives every session of the tests a short idle timeout, so that
// CI sees it pass. idle is in seconds.
func shortTimers(idle int) func(tree) {
	return func(a tree) {
		a["session-type"] = []any{
			tree{"name": "short-tcp", "service-class": "standard", "timeout": idle * 1000,
				"transport": []any{tree{"protocol": "tcp"}}},
			tree{"name": "short-udp", "service-class": "standard", "timeout": 5000,
				"transport": []any{tree{"protocol": "udp"}}},
			tree{"name": "short-icmp", "service-class": "standard", "timeout": 5000,
				"transport": []any{tree{"protocol": "icmp"}}},
		}
	}
}
