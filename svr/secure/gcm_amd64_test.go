package secure

import "testing"

// gcmWays are the ways of seal and open that this CPU has.
var gcmWays = waysOf(haveWide)

func waysOf(wide bool) map[string]bool {
	ways := map[string]bool{"narrow": false}
	if wide {
		ways["wide"] = true
	}
	return ways
}

// useWay makes seal and open go one of gcmWays until the test ends.
func useWay(t testing.TB, way string) {
	was := haveWide
	t.Cleanup(func() { haveWide = was })
	haveWide = gcmWays[way]
}
