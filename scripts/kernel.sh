#!/usr/bin/env bash
# kernel.sh ARCH…: the distribution's own kernel for amd64 or arm64, fetched once
# and unpacked into .cache/kernel/debian-ARCH: vmlinuz, lib/modules with
# modules.dep, release, package (name, version, sha256). Prints that folder.
# Needs no root: apt works in a root of its own, so foreign architectures and
# newer suites stay unknown to the machine.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
cache=${WAYMARK_CACHE:-$PWD/.cache}
mkdir -p "$cache/kernel"

. /etc/os-release
suite=${VERSION_CODENAME:-stable}
[ "${ID:-}" = debian ] || suite=stable
# The kernel of bookworm itself is too old for us; its backports have a newer one.
wanted=$suite
[ "$suite" != bookworm ] || wanted=bookworm-backports

# mirror PATH: where the machine itself gets Debian's PATH (debian, debian-security), or nothing.
mirror() {
	cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -oE "https?://[^ ]+/$1/?( |$)" | head -1 | tr -d ' ' || true
}

# private_apt ROOT: an apt configuration below ROOT that knows both architectures.
private_apt() {
	local key=/usr/share/keyrings/debian-archive-keyring.gpg suites=("$suite" "$suite-updates") main security
	main=$(mirror debian) security=$(mirror debian-security)
	[ -n "$main" ] || { echo "kernel.sh: no source in /etc/apt is a mirror of Debian (…/debian), whose kernels are needed" >&2; return 1; }
	mkdir -p "$1"/{lists/partial,cache/archives/partial,etc}
	: >"$1/status"
	[ "$wanted" = "$suite" ] || suites+=("$wanted")
	{
		printf "deb [arch=amd64,arm64 signed-by=$key] $main %s main\n" "${suites[@]}"
		[ -z "$security" ] || echo "deb [arch=amd64,arm64 signed-by=$key] $security $suite-security main"
	} >"$1/etc/sources.list"
	cat >"$1/apt.conf" <<-CONF
		Dir::State "$1"; Dir::State::Lists "$1/lists"; Dir::State::status "$1/status"; Dir::Cache "$1/cache";
		Dir::Etc::sourcelist "$1/etc/sources.list"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
		APT::Architecture "amd64"; APT::Architectures { "amd64"; "arm64"; }; APT::Default-Release "$wanted";
		Acquire::Languages "none"; APT::Sandbox::User ""; Acquire::Retries "3";
	CONF
	export APT_CONFIG=$1/apt.conf
	apt-get -qq update
}

# unpack DEB DIR: what we use of a kernel package, complete or not at all.
unpack() {
	local new=$2.new release
	rm -rf "$new" && mkdir -p "$new/root"
	dpkg-deb --fsys-tarfile "$1" | tar -x -C "$new/root" --wildcards './boot/vmlinuz-*' '*/modules/*' './boot/config-*' './usr/share/doc/*/copyright'
	release=$(basename "$new"/root/boot/vmlinuz-*)
	release=${release#vmlinuz-}
	mkdir -p "$new/lib"
	if [ -d "$new/root/usr/lib/modules" ]; then mv "$new/root/usr/lib/modules" "$new/lib/"; else mv "$new/root/lib/modules" "$new/lib/"; fi
	mv "$new"/root/boot/vmlinuz-* "$new/vmlinuz"
	mv "$new"/root/boot/config-* "$new/config"
	mv "$new"/root/usr/share/doc/*/copyright "$new/copyright"
	rm -rf "$new/root"
	depmod -b "$new" "$release"
	dpkg-deb -f "$1" Package Version >"$new/package"
	sha256sum <"$1" | sed 's/ .*//; s/^/SHA256: /' >>"$new/package"
	echo "$release" >"$new/release"
	rm -rf "$2" && mv "$new" "$2"
}

fetch() {
	local dir=$cache/kernel/debian-$1 work package
	work=$(mktemp -d)
	trap 'rm -rf "$work"' RETURN
	private_apt "$work/apt"
	package=$(apt-cache depends --important "linux-image-$1:$1" | sed -n 's/^ *Depends: *\(linux-image-[^: ]*\).*/\1/p' | head -1)
	[ -n "$package" ] || { echo "kernel.sh: no kernel for $1 in $wanted" >&2; return 1; }
	echo "fetching $package" >&2
	(cd "$work" && apt-get -qq download "$package:$1")
	unpack "$work"/linux-image-*.deb "$dir"
}

for arch in "$@"; do
	case $arch in
	amd64 | arm64) ;;
	*) echo "usage: kernel.sh amd64|arm64…" >&2; exit 2 ;;
	esac
	(
		flock 9
		[ -s "$cache/kernel/debian-$arch/release" ] || fetch "$arch"
	) 9>"$cache/kernel/lock"
	echo "$cache/kernel/debian-$arch"
done
