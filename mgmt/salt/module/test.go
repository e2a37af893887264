package module

import (
	"context"
	"fmt"
	"time"

	"waymark/mgmt/salt/msgpack"
)

// Compatible is the release of Salt whose minion we stand in for: its protocol
// is recorded, and masters compare it.
const Compatible = "3007.8"

// maxSleep bounds test.sleep.
const maxSleep = time.Hour

var testTable = map[string]function{
	"test.ping": {doc: "Return True.", control: true, run: func(context.Context, *Call) (any, error) { return true, nil }},
	"test.version": {doc: "Return the release of Salt that this minion stands in for.", control: true,
		run: func(context.Context, *Call) (any, error) { return Compatible, nil }},
	"test.echo": {usage: "text", doc: "Return the argument.", min: 1, max: 1, keywords: "text",
		run: func(_ context.Context, c *Call) (any, error) { return c.arg(0, "text"), nil }},
	"test.arg": {usage: "*args, **kwargs", doc: "Return all arguments.", max: -1, keywords: "*",
		run: func(_ context.Context, c *Call) (any, error) {
			return msgpack.KV("args", list(c.Args), "kwargs", c.Keywords), nil
		}},
	"test.sleep": {usage: "length", doc: "Sleep so many seconds, at most 3600, and return True.", min: 1, max: 1, keywords: "length", run: sleep},
}

// list is never nil, so that it is sent as a list.
func list(v []any) []any {
	if v == nil {
		return []any{}
	}
	return v
}

// seconds reads a number, or text that is one, as Python's int and float do.
func seconds(v any) (time.Duration, bool) {
	var n float64
	switch v := v.(type) {
	case int64:
		n = float64(v)
	case float64:
		n = v
	case string:
		if _, err := fmt.Sscanf(v, "%g", &n); err != nil {
			return 0, false
		}
	default:
		return 0, false
	}
	if !(n >= 0) || n > 1e9 {
		return 0, false
	}
	return time.Duration(n * float64(time.Second)), true
}

func sleep(ctx context.Context, c *Call) (any, error) {
	d, ok := seconds(c.arg(0, "length"))
	if !ok || d > maxSleep {
		return nil, fmt.Errorf("length must be 0 to %d seconds", int(maxSleep.Seconds()))
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
