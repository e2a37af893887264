package msgpack_test

import (
	"strings"
	"testing"

	"waymark/mgmt/salt/msgpack"
)

func TestJSONKeepsOrder(t *testing.T) {
	for _, in := range []string{
		`{"z":1,"a":[null,true,false,"Grüße",-3,2.5,{}],"b":{"y":18446744073709551615,"x":[]}}`, `null`, `"a"`, `[]`, `0.1`,
	} {
		v, err := msgpack.FromJSON([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := msgpack.ToJSON(v); err != nil || string(got) != in {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	for _, in := range []string{``, `{`, `[1`, `{"a"`, `{"a":}`, `1 2`, strings.Repeat("[", 100)} {
		if v, err := msgpack.FromJSON([]byte(in)); err == nil {
			t.Errorf("%.20s: %v", in, v)
		}
	}
	for _, v := range []any{"\xff", msgpack.Ext{Type: 78}, msgpack.KV(int64(1), 2), []any{msgpack.KV("a", "\xff")}} {
		if got, err := msgpack.ToJSON(v); err == nil {
			t.Errorf("%v: %s", v, got)
		}
	}
}
