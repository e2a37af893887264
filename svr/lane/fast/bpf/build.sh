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
	llvm-objcopy-14 -g -w -N 'LBB*' -R .rel.BTF.ext "$3"
	shorten "$3" "$([ "$1" = bpfel ] && echo little || echo big)"
}

# shorten takes the lines of the source out of .BTF.ext, half of the object: every
# start would read them, and only a verifier that refuses has use for them. Offsets
# and lengths are those of struct btf_ext_header; a list of lines that is empty has
# its four bytes of record size.
shorten() { # object, byte order
	ext=$(mktemp)
	llvm-objcopy-14 --dump-section ".BTF.ext=$ext" "$1"
	word() { od --endian="$2" -An -tu4 -j "$1" -N 4 "$ext" | tr -d ' '; }
	start=$(($(word 4 "$2") + $(word 16 "$2")))
	[ "$(word 28 "$2")" = 0 ] || { echo "build.sh: $1 has relocations behind the lines" >&2; exit 1; }
	truncate -s $((start + 4)) "$ext"
	if [ "$2" = little ]; then printf '\004\0\0\0'; else printf '\0\0\0\004'; fi |
		dd of="$ext" bs=1 seek=20 conv=notrunc status=none
	llvm-objcopy-14 --update-section ".BTF.ext=$ext" "$1"
	rm -f "$ext"
}

compile bpfel lane.c "$out/lane_bpfel.o"
compile bpfeb lane.c "$out/lane_bpfeb.o"
compile bpfel ../fasttest/bpf/gen.c "$tests/gen_bpfel.o"
compile bpfel ../fasttest/bpf/hash.c "$tests/hash_bpfel.o"
cat ./*.h ./*.c ../fasttest/bpf/*.c build.sh | sha256sum | cut -d' ' -f1 >"$out/lane.sha256"
