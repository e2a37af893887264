package msgpack_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"waymark/mgmt/salt/msgpack"
)

type vector struct {
	Name, Kind, Hex string
	Value           any
	HeadHex         string `json:"head_hex"`
	Length          int
}

func vectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("../testdata/salt-crypto.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Msgpack []vector }
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	if len(file.Msgpack) != 67 {
		t.Fatalf("%d vectors, want 67", len(file.Msgpack))
	}
	return file.Msgpack
}

// built is the value that a vector describes, made from its description and not
// from its bytes.
func built(t *testing.T, v vector) any {
	t.Helper()
	switch v.Kind {
	case "int":
		if n, err := strconv.ParseInt(v.Value.(string), 10, 64); err == nil {
			return n
		}
		n, err := strconv.ParseUint(v.Value.(string), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	case "float":
		f, err := strconv.ParseFloat(v.Value.(string), 64)
		if err != nil {
			t.Fatal(err)
		}
		return f
	case "ext78":
		return msgpack.Ext{Type: 78, Data: v.Value.(string)}
	case "ext79":
		return msgpack.Ext{Type: 79, Data: "\x92\xa7NOT_SET\xc0"}
	case "pairs":
		var m msgpack.Map
		for _, p := range v.Value.([]any) {
			m = append(m, msgpack.Pair{Key: plain(t, p.([]any)[0]), Value: plain(t, p.([]any)[1])})
		}
		return m
	}
	return plain(t, v.Value)
}

// plain turns JSON into our values; maps only where order is that of the bytes.
func plain(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return f
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, plain(t, e))
		}
		return out
	case map[string]any:
		if h, ok := v["hex"].(string); ok {
			raw, err := hex.DecodeString(h)
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		if r, ok := v["repeat"].([]any); ok {
			n, _ := r[1].(json.Number).Int64()
			return strings.Repeat(r[0].(string), int(n))
		}
	}
	return v
}

func TestGolden(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			want, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			if v.HeadHex != "" {
				got, err := msgpack.Marshal(built(t, v))
				head := hex.EncodeToString(got[:len(v.HeadHex)/2])
				if err != nil || len(got) != v.Length || !strings.HasPrefix(v.HeadHex, head) {
					t.Fatalf("%d bytes, head %s, %v", len(got), head, err)
				}
				return
			}
			val, err := msgpack.Decode(want)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := msgpack.Marshal(val); err != nil || !bytes.Equal(got, want) {
				t.Errorf("decoded and encoded: %x, %v, want %x", got, err, want)
			}
			if v.Kind == "map" || v.Kind == "any" {
				return // order is in the bytes alone
			}
			if got, err := msgpack.Marshal(built(t, v)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v encoded: %x, %v, want %x", v.Value, got, err, want)
			}
		})
	}
}

func TestMapOrderAndKeys(t *testing.T) {
	m := msgpack.KV("z", 1, "a", 2, int64(5), "n")
	m.Set("z", int64(3))
	m.Set("b", nil)
	got, err := msgpack.Marshal(m)
	if err != nil || hex.EncodeToString(got) != "84a17a03a1610205a16ea162c0" {
		t.Errorf("%x, %v", got, err)
	}
	back, err := msgpack.DecodeMap(got)
	if err != nil || back.Get("z") != int64(3) || back.Get("none") != nil {
		t.Errorf("%v, %v", back, err)
	}
	if w := back.Without("a"); len(w) != 3 || len(back) != 4 {
		t.Errorf("without a: %v", w)
	}
}

func TestEveryForm(t *testing.T) {
	for in, want := range map[string]any{
		"d90161": "a", "c40161": "a", "c5000161": "a", "c60000000161": "a", "da000161": "a", "db0000000161": "a",
		"ca3fc00000": 1.5, "d1fffe": int64(-2), "cd0001": int64(1), "cfffffffffffffffff": uint64(math.MaxUint64),
		"dc0001c0": []any{nil}, "dd00000001c3": []any{true}, "de0001a16101": msgpack.KV("a", int64(1)),
		"df00000001a16101": msgpack.KV("a", int64(1)), "d44e61": msgpack.Ext{Type: 78, Data: "a"},
		"c8000161ff": msgpack.Ext{Type: 'a', Data: "\xff"}, "c90000000061": msgpack.Ext{Type: 'a'},
	} {
		raw, _ := hex.DecodeString(in)
		got, err := msgpack.Decode(raw)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v, want %#v", in, got, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want error
	}{
		"nothing":               {"", msgpack.ErrShort},
		"trailing":              {"c0c0", msgpack.ErrTrailing},
		"never used":            {"c1", msgpack.ErrType},
		"list larger than rest": {"ddffffffff", msgpack.ErrShort},
		"map larger than rest":  {"dfffffffff00", msgpack.ErrShort},
		"text larger than rest": {"dbffffffff61", msgpack.ErrShort},
		"cut number":            {"cd01", msgpack.ErrShort},
		"cut ext":               {"d8", msgpack.ErrShort},
		"too deep":              {strings.Repeat("91", 100) + "c0", msgpack.ErrDepth},
		"too many":              {"dd00020001" + strings.Repeat("c0", 1<<17+1), msgpack.ErrNodes},
	} {
		raw, _ := hex.DecodeString(tt.in)
		if v, err := msgpack.Decode(raw); !errors.Is(err, tt.want) {
			t.Errorf("%s: %.60v, %v, want %v", name, v, err, tt.want)
		}
	}
	if _, err := msgpack.Marshal(struct{}{}); err == nil {
		t.Error("a struct was encoded")
	}
	if _, err := msgpack.DecodeMap([]byte{0x90}); err == nil {
		t.Error("a list passed for a map")
	}
}

// A small input never costs much memory, whatever it claims.
func TestDecodeIsAllocationBounded(t *testing.T) {
	nested := []byte(strings.Repeat("\xdd\x00\x00\x10\x00", 60))
	nested = append(nested, bytes.Repeat([]byte{0xc0}, 4096)...)
	claims := append([]byte{0xdd, 0, 1, 0, 0}, bytes.Repeat([]byte{0xdf, 0, 0, 0x40, 0}, 13<<10)...)
	for name, in := range map[string][]byte{"nested": nested, "claims": claims} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		msgpack.Decode(in)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 64*msgpack.MaxNodes {
			t.Errorf("%s: %d bytes in, %d allocated", name, len(in), got)
		}
	}
}

// What decodes encodes to something that decodes to the same.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f) {
		raw, _ := hex.DecodeString(v.Hex)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := msgpack.Decode(in)
		if err != nil {
			return
		}
		out, err := msgpack.Marshal(v)
		if err != nil {
			t.Fatalf("%v decoded but not encoded: %v", v, err)
		}
		again, err := msgpack.Decode(out)
		if err != nil {
			t.Fatal(err)
		}
		third, err := msgpack.Marshal(again)
		if err != nil || !bytes.Equal(out, third) {
			t.Fatalf("%x and %x, %v", out, third, err)
		}
	})
}
