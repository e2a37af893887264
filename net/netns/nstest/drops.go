package nstest

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// BacklogDrops is how many packets this machine's kernel has thrown away so far between
// two devices because no processor came to take them: the second column of softnet_stat,
// a line for each processor, in hexadecimal digits. They are lost to nobody's fault.
func BacklogDrops(t testing.TB) (sum int) {
	t.Helper()
	text, err := os.ReadFile("/proc/net/softnet_stat")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		n, err := strconv.ParseUint(strings.Fields(line)[1], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += int(n)
	}
	return sum
}
