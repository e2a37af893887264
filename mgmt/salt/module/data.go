package module

import (
	"context"
	"slices"

	"waymark/mgmt/salt/msgpack"
	"waymark/mgmt/salt/target"
)

var dataTable = map[string]function{
	"grains.items": {usage: "sanitize=False", doc: "Return all grains.", max: 1, keywords: "sanitize", out: "nested",
		run: func(_ context.Context, c *Call) (any, error) { return c.Minion.Grains(), nil }},
	"grains.item": {usage: "*keys", doc: "Return one or more grains; key:key goes down.", min: 1, max: -1, keywords: "default delimiter", out: "nested",
		run: func(_ context.Context, c *Call) (any, error) { return items(c, c.Minion.Grains()) }},
	"grains.get": {usage: "key, default='', delimiter=':'", doc: "Return one grain; key:key goes down.", min: 1, max: 3, keywords: "key default delimiter",
		run: func(_ context.Context, c *Call) (any, error) { return get(c, c.Minion.Grains()) }},
	"grains.ls": {doc: "Return the names of all grains.",
		run: func(_ context.Context, c *Call) (any, error) { return names(c.Minion.Grains()), nil }},
	"pillar.items": {doc: "Fetch the pillar and return it.", run: func(ctx context.Context, c *Call) (any, error) {
		err := c.Minion.RefreshPillar(ctx)
		return c.Minion.Pillar(), err
	}},
	"pillar.item": {usage: "*keys", doc: "Return one or more values of the pillar; key:key goes down.", min: 1, max: -1, keywords: "default delimiter",
		run: func(_ context.Context, c *Call) (any, error) { return items(c, c.Minion.Pillar()) }},
	"pillar.get": {usage: "key, default='', merge=False, delimiter=':'", doc: "Return one value of the pillar; key:key goes down.", min: 1, max: 2, keywords: "key default delimiter",
		run: func(_ context.Context, c *Call) (any, error) { return get(c, c.Minion.Pillar()) }},
	"pillar.ls": {doc: "Return the names in the pillar.",
		run: func(_ context.Context, c *Call) (any, error) { return names(c.Minion.Pillar()), nil }},
	"event.send": {usage: "tag, data=None, **kwargs", doc: "Fire an event on the master's bus.", min: 1, max: 2, keywords: "*", run: send},
	"event.fire_master": {usage: "data, tag", doc: "Fire an event on the master's bus.", min: 2, max: 2, keywords: "data tag",
		run: func(ctx context.Context, c *Call) (any, error) {
			tag, err := c.text(1, "tag", "")
			if err != nil {
				return nil, err
			}
			return fire(ctx, c, tag, c.arg(0, "data"))
		}},
}

func delimiter(c *Call, n int) (string, error) {
	d, err := c.text(n, "delimiter", ":")
	if err == nil && d == "" {
		err = &Failure{"Passed invalid arguments: delimiter must not be empty", 1}
	}
	return d, err
}

// missing is what stands for an absent value: ” unless the caller says.
func missing(c *Call, n int) any {
	if d := c.arg(n, "default"); d != nil {
		return d
	}
	return ""
}

func get(c *Call, data msgpack.Map) (any, error) {
	key, err := c.text(0, "key", "")
	if err != nil {
		return nil, err
	}
	d, err := delimiter(c, 2)
	if err != nil {
		return nil, err
	}
	if v := target.Traverse(data, key, d); v != nil {
		return v, nil
	}
	return missing(c, 1), nil
}

func items(c *Call, data msgpack.Map) (any, error) {
	d, err := delimiter(c, len(c.Args))
	if err != nil {
		return nil, err
	}
	out := msgpack.Map{}
	for n := range c.Args {
		key, err := c.text(n, "key", "")
		if err != nil {
			return nil, err
		}
		v := target.Traverse(data, key, d)
		if v == nil {
			v = missing(c, len(c.Args))
		}
		out.Set(key, v)
	}
	return out, nil
}

func names(m msgpack.Map) []string {
	out := []string{}
	for _, p := range m {
		if k, ok := p.Key.(string); ok {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// send fires an event whose data are, as with Salt, what tells the publication
// and then what was given.
func send(ctx context.Context, c *Call) (any, error) {
	tag, err := c.text(0, "tag", "")
	if err != nil {
		return nil, err
	}
	var data, given msgpack.Map
	for _, p := range c.Keywords {
		switch k := p.Key.(string); {
		case k == "tag" || k == "data":
		case len(k) > 6 && k[:6] == "__pub_":
			data = append(data, p)
		default:
			given = append(given, p)
		}
	}
	data = append(data, given...)
	switch v := c.arg(1, "data").(type) {
	case nil:
	case msgpack.Map:
		for _, p := range v {
			if k, ok := p.Key.(string); ok {
				data.Set(k, p.Value)
			}
		}
	default:
		return nil, &Failure{"Passed invalid arguments: data must be a map", 1}
	}
	return fire(ctx, c, tag, data)
}

// fire refuses tags that a log or a bus could trip over.
func fire(ctx context.Context, c *Call, tag string, data any) (any, error) {
	if tag == "" || len(tag) > 256 || printable(tag) != tag {
		return nil, &Failure{"Passed invalid arguments: tag must be 1 to 256 printable characters", 1}
	}
	if data == nil {
		data = msgpack.Map{}
	}
	if err := c.Minion.Fire(ctx, tag, data); err != nil {
		return nil, err
	}
	return true, nil
}
