#!/usr/bin/env bash
# kernel-own.sh ARCH: our own kernel for amd64 or arm64, in .cache/kernel/own-ARCH,
# which it prints. One that configuration, script, source and compiler have not
# changed since stays; else it is compiled (scripts/kernel-build.sh, 10 to 20
# minutes of two cores) and only kept when an image with it passes the tests of a
# box with 96 and with 64 MB of memory. COMPILE=only leaves it untested in
# own-ARCH.new, where the next run takes it up.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
cache=${WAYMARK_CACHE:-$PWD/.cache}/kernel
mkdir -p "$cache"

arch=${1:-}
case $arch in
amd64) compiler=gcc tests='^TestBoxAMD64$' ;;
arm64) compiler=aarch64-linux-gnu-gcc tests='^TestBoxARM64$' ;;
*) echo "usage: kernel-own.sh amd64|arm64" >&2; exit 2 ;;
esac
own=$cache/own-$arch new=$cache/own-$arch.new

# What a kernel is made of; a kernel of the same key is the same kernel.
key=$({
	cat image/kernel/common.config "image/kernel/$arch.config" scripts/kernel-build.sh
	dpkg-query -W -f '${Package} ${Version}\n' linux-source-6.12
	"$compiler" --version | head -1
} | sha256sum | cut -d' ' -f1)
is() { [ -s "$1/vmlinuz" ] && [ "$(cat "$1/key" 2>/dev/null)" = "$key" ]; }

# boots MB: an image with the new kernel comes up, forwards and survives in MB of memory.
boots() {
	echo "booting the kernel for $arch with $1 MB" >&2
	WAYMARK_KERNEL=$new WAYMARK_MEMORY=$1 go test ./image/boxtest -run "$tests" -count=1 -timeout 10m >&2
}

(
	flock 9
	if ! is "$own"; then
		if ! is "$new"; then
			echo "compiling the kernel for $arch" >&2
			scripts/kernel-build.sh "$arch" "$new" >&2
			echo "$key" >"$new/key"
		fi
		[ "${COMPILE:-}" != only ] || exit 0
		boots 96 # not `boots 96 && boots 64`: the shell would go on after a failure
		boots 64
		rm -rf "$own" && mv "$new" "$own"
	fi
) 9>"$cache/lock-own-$arch"
echo "$own"
