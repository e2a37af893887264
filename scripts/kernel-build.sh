#!/usr/bin/env bash
# kernel-build.sh ARCH OUT: compile the kernel of image/kernel/*.config for amd64
# or arm64 from the distribution's kernel source and leave it in OUT: vmlinuz,
# release, config, System.map, package (name, version, sha256), copyright. It boots
# nothing and keeps nothing; `make kernel` does both. The same sources and the same
# compiler give the same bytes: no time, user, host or path of this machine gets in.
# JOBS: how many compilers run at once.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C TZ=UTC
name=linux-source-6.12
cache=${WAYMARK_CACHE:-$PWD/.cache}/kernel

arch=${1:-} out=${2:-}
case $arch in
amd64) karch=x86_64 image=bzImage boot=arch/x86/boot/bzImage cross= ;;
arm64) karch=arm64 image=Image.gz boot=arch/arm64/boot/Image.gz cross=aarch64-linux-gnu- ;;
*) arch= ;;
esac
[ -n "$arch" ] && [ -n "$out" ] || { echo "usage: kernel-build.sh amd64|arm64 OUT" >&2; exit 2; }
# A machine that is no PC has cross compilers of both.
if [ "$arch" = amd64 ] && [ "$(uname -m)" != x86_64 ]; then cross=x86_64-linux-gnu-; fi

version=$(dpkg-query -W -f '${Version}' "$name")
tarball=/usr/src/$name.tar.xz
source=$cache/src/$version
fragments=(image/kernel/common.config "image/kernel/$arch.config")

# The source is unpacked once for both architectures.
if [ ! -d "$source" ]; then
	rm -rf "$source.new" && mkdir -p "$source.new"
	tar -x -C "$source.new" --strip-components=1 -f "$tarball"
	mv "$source.new" "$source"
fi

# A failed build stays there to be looked at; none begins with what another left.
work=$cache/build-$arch
rm -rf "$work" && mkdir -p "$work"

# The date of the source's last change, as Debian's changelog has it.
date=$(zcat "/usr/share/doc/$name/changelog.Debian.gz" | sed -n 's/^ -- .*>  //p' | head -1 || true)
SOURCE_DATE_EPOCH=$(date -d "${date:?no date in the changelog of $name}" +%s)
export SOURCE_DATE_EPOCH
KBUILD_BUILD_TIMESTAMP=$(date -u -d "@$SOURCE_DATE_EPOCH")
export KBUILD_BUILD_TIMESTAMP KBUILD_BUILD_USER=waymark KBUILD_BUILD_HOST=waymark KBUILD_BUILD_VERSION=1
kmake() { make -s -C "$source" O="$work" ARCH="$karch" CROSS_COMPILE="$cross" "$@"; }

kmake tinyconfig >/dev/null
cat "${fragments[@]}" | grep '^CONFIG_' >>"$work/.config"
kmake olddefconfig 2>&1 | grep -v 'override: reassigning' || true

# Every line of the fragments must have come true.
wrong=0
while IFS='=' read -r option value; do
	is=$(sed -n "s/^$option=//p" "$work/.config")
	[ "${is:-n}" = "$value" ] || { echo "kernel-build.sh: $option=$value is asked for, the kernel makes it ${is:-n}" >&2; wrong=1; }
done < <(cat "${fragments[@]}" | grep '^CONFIG_')
[ $wrong = 0 ] || exit 1

kmake -j"${JOBS:-$(nproc)}" "$image"

rm -rf "$out.new" && mkdir -p "$out.new"
cp "$work/$boot" "$out.new/vmlinuz"
cp "$work/.config" "$out.new/config"
cp "$work/System.map" "$out.new/System.map"
cp "/usr/share/doc/$name/copyright" "$out.new/copyright"
cat "$work/include/config/kernel.release" >"$out.new/release"
printf 'Package: %s\nVersion: %s\nSHA256: %s\n' "$name" "$version" "$(sha256sum <"$tarball" | cut -d' ' -f1)" >"$out.new/package"
rm -rf "$out" && mv "$out.new" "$out"
rm -rf "$work"
