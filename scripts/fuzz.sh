#!/usr/bin/env bash
# fuzz.sh: run every fuzz target of the tree for FUZZTIME (60s), as many at once as there
# are CPUs, each with one worker. An input that reaches new code is made smaller for 2 s,
# not for a minute: that could take all of a target's time and more.
set -euo pipefail
cd "$(dirname "$0")/.."
export time=${FUZZTIME:-60s}

# one runs a target and prints its last figures; what it said, when it failed.
one() { # package, target
	for try in 1 2 3; do
		if said=$(go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 2s -parallel 1 "$1" 2>&1); then
			printf '%-28s %-24s %s\n' "$1" "$2" "$(grep '^fuzz: elapsed' <<<"$said" | tail -n 1)"
			return
		fi
		# The end of the time may come as Go itself hands out an input, which it takes
		# for a failure (golang.org/issue/75804): without an input, so once more.
		grep -q '^ *context deadline exceeded$' <<<"$said" && ! grep -q 'Failing input' <<<"$said" || break
	done
	printf '== %s %s, try %d ==\n%s\n' "$1" "$2" "$try" "$said"
	return 1
}
export -f one

grep -rE '^func Fuzz[A-Za-z0-9_]*\(' --include='*_test.go' . | sed -E 's|^(.*)/[^/]*:func (Fuzz[A-Za-z0-9_]*).*|\1 \2|' | sort |
	xargs -P "$(nproc)" -L 1 bash -c 'one "$@"' one
