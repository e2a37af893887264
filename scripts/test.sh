#!/usr/bin/env bash
# test.sh [PART…]: the parts of `make test` in order; without arguments all.
# Packages whose tests build whole namespace worlds run two at a time, and four tests
# of each, in worlds of their own: most of their time they wait. Tests that measure
# are not parallel and come first; the package with rates shares the cores with nobody.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin CGO_ENABLED=0
# The same flags for every part: what one compiles the others find in the cache.
for flag in -buildvcs=false -trimpath; do
	case " ${GOFLAGS:-} " in *" ${flag%%=*}"*) ;; *) GOFLAGS="${GOFLAGS:-} $flag" ;; esac
done
export GOFLAGS
# gotest FLAG… -- PACKAGE…: part_vet has looked at every package; nobody debugs these
# binaries. A few tests that fail are run once more, by themselves: clocks and
# neighbours of a shared machine are no fault of ours. What fails twice fails, what
# passes then is told at the end, and is somebody's next work.
gotest() {
	local flags=()
	while [ "$1" != -- ]; do flags+=("$1") && shift; done
	go tool -modfile="$tools/go.mod" gotestsum --format pkgname --format-hide-empty-pkg \
		--rerun-fails=1 --rerun-fails-max-failures=6 --rerun-fails-run-root-test --packages="${*:2}" \
		-- -vet=off -ldflags='-s -w' "${flags[@]}"
}
tools=$PWD/scripts/tools

section() { printf '\n== %s ==\n' "$*"; }

# packages world: those whose tests build the namespace world; packages qemu:
# those that boot machines; packages plain: the others.
packages() {
	go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... |
		awk -v want="$1" '{
			kind = "plain"
			if ($1 ~ "^waymark/cmd/lab(/|$)") kind = "world"
			for (i = 2; i <= NF; i++) if ($i == "waymark/cmd/lab/world") kind = "world"
			for (i = 2; i <= NF; i++) if ($i == "waymark/image/vm/vmtest") kind = "qemu"
			if (kind == want) print $1
		}'
}

part_format() {
	section 'gofmt'
	local bad
	bad=$(gofmt -l $(find . -name '*.go' -not -path './out/*' -not -path './.cache/*'))
	[ -z "$bad" ] || { echo "not in gofmt's form: $bad" >&2; return 1; }
	echo ok
}
part_vet() { section 'go vet'; go vet ./... && echo ok; }
part_staticcheck() {
	section 'staticcheck'
	go tool -modfile=scripts/tools/go.mod staticcheck ./... && echo ok
}
part_build() {
	section 'build'
	mkdir -p out/bin
	go build -ldflags '-s -w' -o out/bin/ ./cmd/...
	(cd out/bin && ls -s --block-size=K)
}
# Layouts that are shared with the kernel are checked by the compiler, or at least
# by its types: words of 32 bits, the other byte order, both.
part_layouts() {
	section 'layouts on other architectures'
	local what=(./svr/... ./net/... ./cmd/waymark) arch
	go -C scripts/tools build -o "$PWD/out/typecheck" ./typecheck
	for arch in arm s390x; do
		GOARCH=$arch out/typecheck "${what[@]}"
		echo "$arch ok"
	done
	GOARCH=mips go build "${what[@]}"
	echo 'mips ok'
}
part_unit() {
	section 'unit and architecture tests'
	gotest -p 4 -parallel 8 -timeout 15m -- $(packages plain) # many wait for the timers of daemons
}
# The bench is a module of its own: its tests measure nothing.
part_bench() {
	section 'tests of the bench'
	(cd bench && go vet ./... && gotest -- ./...)
}
part_netns() {
	section 'namespace tests'
	local list alone=waymark/cmd/lab/accept # measures rates
	list=$(packages world | grep -vx "$alone")
	export WAYMARK_BIN=$PWD/out/bin/waymark
	gotest -count=1 -parallel 4 -timeout 20m -- "$alone"
	gotest -count=1 -p 2 -parallel 4 -timeout 30m -- $list
}
# Machines are emulated and slow: two packages at a time, each keeps one processor
# busy, with kernels at hand.
part_qemu() {
	section 'tests that boot machines'
	scripts/kernel.sh amd64 arm64
	gotest -count=1 -p 2 -timeout 15m -- $(packages qemu)
}
part_leftovers() {
	section 'nothing left behind'
	out/bin/lab leftovers
	diff <(printf '%s\n' "$before") <(host_state) || { echo 'the machine is not as it was before the tests' >&2; return 1; }
	# What a killed run left long ago may be swept away by this one: only a new namespace is a fault.
	local new
	new=$(comm -13 <(printf '%s\n' "$namespaces") <(namespaces))
	[ -z "$new" ] || { echo "left behind: namespaces" $new >&2; return 1; }
}
namespaces() { ip netns list | cut -d' ' -f1 | sort; }

# host_state is what tests could leave in the machine's own namespace.
host_state() {
	ip -o link show | cut -d: -f2
	ip rule show && ip -6 rule show
	tc qdisc show
	nft list ruleset
	sysctl_state
	ls /sys/fs/bpf 2>/dev/null || true
}
sysctl_state() {
	grep . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_local_port_range \
		/proc/sys/net/ipv4/ip_local_reserved_ports || true # an empty list is no line
}

if [ "$(id -u)" != 0 ]; then
	echo 'test.sh: the namespace tests need root' >&2
	exit 1
fi
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(format vet staticcheck build layouts unit bench netns qemu leftovers)
before=$(host_state)
namespaces=$(namespaces)
for p in "${parts[@]}"; do
	start=$SECONDS
	"part_$p"
	echo "($((SECONDS - start)) s)"
done
