#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# No connection breaks whatever changes: the churn of testenv/churn in three modes side by side, and a table of what broke
# in each. The mode that records what a change makes ambiguous must break nothing; what it is compared with, does.
#
#   testenv/tests/churn.sh [SEED [SECONDS]]
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
seed=${1:-21}
seconds=${2:-45}
modes=(changes track hash)

# The same changes at the same times, as far as the machine lets them.
run_modes() {
	local mode extra pids=()
	for mode in "${modes[@]}"; do
		extra=()
		[ "$mode" != changes ] || extra=(--flood)
		TAILRACE_PREPARED=1 "$testenv/churn" --mode "$mode" --seed "$seed" --seconds "$seconds" --verbose \
			--result "$tmp/$mode.json" "${extra[@]}" > "$tmp/$mode.log" 2>&1 &
		pids+=($!)
	done
	# They end by themselves where this test is ended: by their own signal, of the same process group, or here.
	trap 'kill "${pids[@]}" 2> /dev/null; wait; clean_up "$tag"' EXIT
	wait "${pids[@]}" || true
	trap 'clean_up "$tag"' EXIT
}

# value MODE KEYS...
value() { json "s$(printf "['%s']" "${@:2}")" < "$tmp/$1.json"; }

table() {
	python3 - "${modes[@]/#/$tmp/}" <<-'END'
		import json, sys

		line = "{:<8} {:>11} {:>9} {:>6} {:>8} {:>6} {:>8} {:>9}  {:>8} {:>9}  {:>8} {:>9}"
		runs = [json.load(open(name + ".json")) for name in sys.argv[1:]]

		def cost(part):
		    return part["records"], "%.0f %%" % min(100, 100 * part["recorded"] / max(part["new"], 1))

		print(line.format("", "", "", "", "", "", "", "", "backends", "change", "all", "changes"))
		print(line.format("", "connections", "at the", "", "timed", "", "", "server", "records", "new flows", "records",
		                  "new flows"))
		print(line.format("mode", "and flows", "same time", "reset", "out", "moved", "broken", "down", "at peak",
		                  "recorded", "at peak", "recorded"))
		for r in runs:
		    print(line.format(r["mode"], r["connections"], r["at_a_time"], r["reset"], r["timeout"], r["moved"],
		                      "%.1f %%" % (100 * r["broken"] / r["connections"]), r["down"],
		                      *cost(r["backends"]), *cost(r["moves"])))
		print("silent for longer than the settling time: broken " +
		      ", ".join(f"{r['silent_broken']} of {r['silent']} ({r['mode']})" for r in runs))
	END
}

# Each has ended in one way.
accounted() {
	json "(s['ended'] + s['broken'] + s['down'] + s['late'], s['connections'])" < "$tmp/$1.json"
	[ "$(json "s['ended'] + s['broken'] + s['down'] + s['late'] == s['connections']" < "$tmp/$1.json")" = True ]
}

unbroken() {
	grep -E 'last change:' "$tmp/$1.log" || true
	equal 0 "$(value "$1" broken)"
}

ran() {
	[ -s "$tmp/$1.json" ] || { cat "$tmp/$1.log"; return 1; }
}

begin churntest
echo "# seed $seed"
run_modes
for mode in "${modes[@]}"; do
	ok "$mode: has come to its end" ran "$mode"
done
[ $failed = 0 ] || done_testing
table | sed 's/^/# /'
ok "changes: no connection broke" unbroken changes
ok "changes: 5,000 connections at a time" [ "$(value changes at_a_time)" -ge 5000 ]
for mode in "${modes[@]}"; do
	ok "$mode: every flow is accounted for" accounted "$mode"
done
ok "changes: nothing is recorded before the first change, and nothing of a flood of SYNs" \
	equal "0 0 0 0, then 0 0 0 0" "$(value changes steady)"
ok "changes: changes had flows recorded" [ "$(value changes moves recorded)" -ge 100 ]
ok "changes: the flood of pairs was recorded" [ "$(value changes flooded)" -ge 10000 ]
ok "changes: everything settled, with all connections there" [ "$(value changes settled)" = True ]
ok "changes: the table is empty again when all is over" [ "$(value changes empty)" = True ]
ok "hash: the same changes break connections" [ "$(value hash broken)" -ge 1000 ]
done_testing
