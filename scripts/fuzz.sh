#!/usr/bin/env bash
# fuzz.sh: run every fuzz target of the tree for FUZZTIME (60s), one by one. An
# input that reaches new code is made smaller for 2 s, not for a minute: that
# could take all of a target's time and more.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${FUZZTIME:-60s}
failed=0
while IFS=: read -r file line; do
	name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")
	pkg=./$(dirname "$file")
	printf '== %s %s %s ==\n' "$pkg" "$name" "$time"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 2s "$pkg" || failed=1
done < <(grep -rE '^func Fuzz[A-Za-z0-9_]*\(' --include='*_test.go' . | sed 's|^\./||' | sort)
exit $failed
