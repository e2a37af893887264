//go:build mips || mips64 || ppc64 || s390x

package fast

import _ "embed"

//go:embed bpf/lane_bpfeb.o
var object string
