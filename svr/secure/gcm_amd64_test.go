//go:build linux

package secure

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// gcmWays are the ways of seal and open that this CPU has.
var gcmWays = waysUpTo(gcmWay)

func waysUpTo(best int) map[string]int {
	ways := map[string]int{"narrow": wayNarrow, "half": wayHalf, "wide": wayWide}
	for name, way := range ways {
		if way > best {
			delete(ways, name)
		}
	}
	return ways
}

// useWay makes seal and open go one of gcmWays until the test ends.
func useWay(t testing.TB, way string) {
	was := gcmWay
	t.Cleanup(func() { gcmWay = was })
	gcmWay = gcmWays[way]
}

// TestWayIsWhatTheCPUHas compares with what Linux found.
func TestWayIsWhatTheCPUHas(t *testing.T) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	flags := strings.Fields(string(info))
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(flags, name) })
	}
	want := wayNarrow
	if has("aes", "pclmulqdq", "avx2", "vaes", "vpclmulqdq") {
		want = wayHalf
		if has("bmi2", "avx512f", "avx512bw", "avx512vl") {
			want = wayWide
		}
	}
	if gcmWay != want {
		t.Errorf("got way %d, want %d", gcmWay, want)
	}
}
