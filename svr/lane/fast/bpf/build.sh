#!/bin/sh
# build.sh [DIR]: compile the lane for both byte orders and the test programs
# into DIR (default: where the Go packages embed them), and write down the hash
# of the sources. Needs clang 14 and libbpf's headers (scripts/install.sh bpf).
set -eu
cd "$(dirname "$0")"
out=${1:-.}
tests=${1:-../fasttest/bpf}

compile() { # target, source, object
	clang-14 -O2 -g -fno-strict-aliasing -mcpu=v3 -target "$1" -Wall -Wextra -Werror \
		-Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -ffile-prefix-map="$PWD"=. \
		-I"/usr/include/$(uname -m)-linux-gnu" -c "$2" -o "$3"
	# debugging information would be most of the object; .BTF.ext stays, because
	# the kernel wants the types of global functions
	llvm-objcopy-14 -g -R .rel.BTF.ext "$3"
}

compile bpfel lane.c "$out/lane_bpfel.o"
compile bpfeb lane.c "$out/lane_bpfeb.o"
compile bpfel ../fasttest/bpf/gen.c "$tests/gen_bpfel.o"
compile bpfel ../fasttest/bpf/hash.c "$tests/hash_bpfel.o"
cat ./*.h ./*.c ../fasttest/bpf/*.c build.sh | sha256sum | cut -d' ' -f1 >"$out/lane.sha256"
