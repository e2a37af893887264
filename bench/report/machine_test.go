package report

import (
	"runtime"
	"testing"
)

func TestCPUModel(t *testing.T) {
	const first = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nstepping\t: 1\n\n"
	for _, c := range []struct{ info, want string }{
		{first, "AMD EPYC (family 25, model 17)"},
		{first + "processor\t: 1\ncpu family\t: 6\nmodel\t\t: 1\nmodel name\t: other\n", "AMD EPYC (family 25, model 17)"},
		{"processor\t: 0\nmodel name\t: some core\n", "some core"},
		{"processor\t: 0\nCPU part\t: 0xd0c\n", runtime.GOARCH},
		{"", runtime.GOARCH},
	} {
		if got := cpuModel(c.info); got != c.want {
			t.Errorf("%q: got %q, want %q", c.info, got, c.want)
		}
	}
}
