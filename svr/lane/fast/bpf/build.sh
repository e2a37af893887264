#!/bin/sh
# build.sh [DIR]: compile the program for both byte orders into DIR (default:
# beside this script) and write down the hash of the sources. Needs clang 14 and
# libbpf's headers (scripts/install.sh bpf).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here}
cd "$here"
for order in el eb; do
	clang-14 -O2 -g -fno-strict-aliasing -mcpu=v3 -target bpf$order -Wall -Wextra -Werror \
		-Wno-unused-parameter -Wno-sign-compare -ffile-prefix-map="$here"=. \
		-I"/usr/include/$(uname -m)-linux-gnu" -c lane.c -o "$out/lane_bpf$order.o"
	llvm-objcopy-14 -g -R .BTF.ext -R .rel.BTF.ext "$out/lane_bpf$order.o"
done
cat ./*.h lane.c build.sh | sha256sum | cut -d' ' -f1 >"$out/lane.sha256"
