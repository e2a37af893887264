#!/usr/bin/env bash
# soak.sh: the long form of every timed test. Tests whose name begins with
# TestSoak take their duration from SOAK; their log lines become docs/soak.md.
set -euo pipefail
cd "$(dirname "$0")/.."
export SOAK=${SOAK:-1h} WAYMARK_BIN=$PWD/out/bin/waymark
list=$(grep -rlE '^func TestSoak' --include='*_test.go' . | xargs -r -n1 dirname | sort -u)
if [ -z "$list" ]; then
	echo 'soak.sh: the tree has no TestSoak… test' >&2
	exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
go test -count=1 -p 1 -parallel 1 -timeout 0 -v -run '^TestSoak' $list | tee "$log"
{
	printf '# Soak\n\nLast long run: SOAK=%s, %s, commit %s, %s, %s CPUs.\n\n```\n' \
		"$SOAK" "$(date -u +%F)" "$(git rev-parse --short HEAD)" "$(uname -srm)" "$(nproc)"
	grep -E '^(ok|FAIL|---|    )' "$log"
	printf '```\n'
} >docs/soak.md
