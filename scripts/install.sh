#!/usr/bin/env bash
# install.sh SET: install by package name what the machine misses for SET
# (lab, test, bench, image, kernel to compile one, or bpf to compile the programs). Prints what it installs and nothing when all is there.
set -euo pipefail
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# command:package, the command, or file, proves that the package is there
lab=(ip:iproute2 nft:nftables ethtool:ethtool tcpdump:tcpdump traceroute:traceroute ping:iputils-ping dnsmasq:dnsmasq-base)
# image: machines to boot it in, and what takes the distribution's kernels apart
image=(qemu-system-x86_64:qemu-system-x86 qemu-system-aarch64:qemu-system-arm depmod:kmod zstd:zstd xz:xz-utils ip:iproute2
	/usr/lib/systemd/boot/efi/linuxx64.efi.stub:systemd-boot-efi /usr/share/OVMF/OVMF_CODE_4M.fd:ovmf)
# slots: programs that check the file systems and tables that we write
slots=(sgdisk:gdisk mdir:mtools fsck.vfat:dosfstools e2fsck:e2fsprogs objcopy:binutils)
# line: an access concentrator for PPPoE, and a shell for its machine
line=(pppoe-server:pppoe pppd:ppp busybox:busybox-static)
# bfd: neighbours of another hand
bfd=(bird:bird2 /usr/lib/frr/bfdd:frr)
test=("${lab[@]}" "${image[@]}" "${slots[@]}" "${line[@]}" "${bfd[@]}" tshark:tshark kea-dhcp4:kea-dhcp4-server
	dhclient:isc-dhcp-client dig:bind9-dnsutils chronyd:chrony)
bench=("${lab[@]}" iperf3:iperf3)
# kernel: a compiler for each architecture, and what the kernel's own build runs
kernel=(gcc:gcc aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu make:make flex:flex bison:bison bc:bc xz:xz-utils zstd:zstd perl:perl
	/usr/include/stdio.h:libc6-dev /usr/include/libelf.h:libelf-dev /usr/src/linux-source-6.12.tar.xz:linux-source-6.12)
bpf=(clang-14:clang-14 llvm-objcopy-14:llvm-14)

case ${1:-} in
lab) want=("${lab[@]}") ;;
test) want=("${test[@]}") ;;
bench) want=("${bench[@]}") ;;
image) want=("${image[@]}") ;;
kernel) want=("${test[@]}" "${kernel[@]}") ;;
bpf) want=("${bpf[@]}") ;;
*)
	echo "usage: install.sh lab|test|bench|image|kernel|bpf" >&2
	exit 2
	;;
esac

command -v go >/dev/null || { echo "install.sh: Go is not in PATH (1.26 or newer is needed)" >&2; exit 1; }

missing=()
for pair in "${want[@]}"; do
	[[ $pair == /* && -e ${pair%%:*} ]] || command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
# The Salt master of another hand that tests our minion (mgmt/agent/testdata/master.py).
[[ ${1:-} != test && ${1:-} != kernel ]] || /usr/bin/python3 -c 'import zmq, msgpack, Cryptodome' 2>/dev/null ||
	missing+=(python3 python3-zmq python3-msgpack python3-pycryptodome)
[ "${1:-}" != bpf ] || [ -e /usr/include/bpf/bpf_helpers.h ] || missing+=(libbpf-dev)
# Go fetches modules over TLS: a bare machine may have no root certificates.
[ -s /etc/ssl/certs/ca-certificates.crt ] || [ -d /etc/pki ] || missing+=(ca-certificates)
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "install.sh: missing: ${missing[*]}; no apt-get here, install them by hand" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "install.sh: missing: ${missing[*]}; run as root to install them" >&2
	exit 1
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt_quiet() { apt-get -qq -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1 </dev/null || { cat "$log" >&2; exit 1; }; }
apt_quiet update
apt_quiet install -y --no-install-recommends "${missing[@]}"
