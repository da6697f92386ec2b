# shellcheck shell=bash disable=SC2034 # its users read them
# SPDX-License-Identifier: GPL-2.0-only
# What the demo and the end-to-end tests share: names, cleaning up, waiting, reading JSON, TAP. Sourced.
#
# A run has a tag (NAME-PID). All that it makes carries it: namespaces TAG-HOST, pins in /sys/fs/bpf/tailrace/TAG*, files in
# /tmp/tailrace-TAG. So copies run side by side, and a tag is all that clean_up needs to know.
# The names that it sets, for its users: top, tailrace, testenv, pins, tag, tmp, config, quick.

export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin	# root by a plain su has no sbin
testenv=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$testenv")
tailrace=${TAILRACE:-$top/build/tailrace}
pins=/sys/fs/bpf/tailrace
tag=
tmp=
config=
# A pool's times for tests that change it and look at once.
quick='{ settle: 1, udp: 1, syn: 0, record: 1, linger: 1, drain: 1 }'

# shellcheck source=topology.sh
. "$testenv/topology.sh"
# shellcheck source=services.sh
. "$testenv/services.sh"

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# become_root ARGUMENTS OF THE SCRIPT...
become_root() {
	[ "$(id -u)" != 0 ] || return 0
	command -v sudo > /dev/null || die "needs root (and there is no sudo here)"
	exec sudo --preserve-env=TAILRACE_PREPARED,KEEP,DEMO_REQUESTS,DEMO_BYTES,TAILRACE,TEST_TIMEOUT "$0" "$@"
}

# prepare TARGETS...: installs and builds. As whoever called, so that build/ stays his; the scripts become root after it.
prepare() {
	[ -z "${TAILRACE_PREPARED:-}" ] || return 0
	mkdir -p "$top/build"
	if [ "$(id -u)" = 0 ]; then
		"$testenv/install"
	elif ! "$testenv/install" 2> /dev/null; then
		command -v sudo > /dev/null || die "needs root to install packages (and there is no sudo here)"
		sudo "$testenv/install"
	fi
	build "$@"
	export TAILRACE_PREPARED=1
}

# progress TEXT DONE TOTAL: a bar on a terminal, else a line at the end.
progress() {
	local width=40 full
	full=$(($2 * width / $3))
	if [ -t 1 ]; then
		printf '\r  %-18s [%-*s] %5d/%d' "$1" $width "$(printf '%*s' $full '' | tr ' ' '#')" "$2" "$3"
		[ "$2" -lt "$3" ] || echo
	elif [ "$2" -ge "$3" ]; then
		printf '  %-18s %5d/%d\n' "$1" "$2" "$3"
	fi
}

# build TARGETS...: make, with a bar for its steps; what it says is shown where it fails.
build() {
	local steps
	steps=$(make -C "$top" -n "$@" | grep -c "^printf '  %" || true)
	build_log=$(mktemp)
	trap 'kill "${build_pid:-}" 2> /dev/null; wait; rm -f "$build_log"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	# In the background, so that a signal is heard at once. Copies of the demo take turns.
	(exec 9< "$top/build" && flock 9 && exec make -C "$top" --no-print-directory -j2 "$@") > "$build_log" 2>&1 &
	build_pid=$!
	while kill -0 $build_pid 2> /dev/null; do
		[ "$steps" = 0 ] || [ ! -t 1 ] || progress building "$(steps_done "$steps")" "$steps"
		sleep 0.2
	done
	wait $build_pid || { echo; cat "$build_log" >&2; die "make $* failed"; }
	[ "$steps" = 0 ] || progress building "$steps" "$steps"
	trap - EXIT INT TERM HUP
	rm "$build_log"
}

# The last step is build()'s to show.
steps_done() { awk -v all="$1" '/^  [A-Z]/ { n++ } END { print (n < all ? n + 0 : all - 1) }' "$build_log"; }

# begin NAME: the run's tag and directory, and that nothing of it stays.
begin() {
	tag=$1-$$
	tmp=/tmp/tailrace-$tag
	config=$tmp/tailrace.yaml
	mkdir -m 700 "$tmp" || die "testenv/demo --down $tag removes what an earlier run has left"
	trap 'clean_up "$tag"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# clean_up TAG: processes, namespaces, pins and files, as far as they exist.
clean_up() {
	trap '' INT TERM HUP
	local name
	sleep 0.1	# what was started just now may not have entered its namespace yet
	for name in $(namespaces "$1"); do
		end_processes "$name"
		# One that was interrupted while it was being made is no more than a file: no error.
		ip netns del "$name" 2> /dev/null || true
	done
	rm -rf "/tmp/tailrace-$1" "${pins:?}/$1" "$pins/$1"-*
	rmdir "$pins" 2> /dev/null || true
}

# end_processes NAMESPACE: returns when they are gone; to give back a controller's memory takes a moment.
end_processes() {
	local pids tries=100
	while mapfile -t pids < <(ip netns pids "$1" 2> /dev/null) && [ ${#pids[@]} -gt 0 ] && [ $tries -gt 0 ]; do
		kill -KILL "${pids[@]}" 2> /dev/null || true
		tries=$((tries - 1))
		sleep 0.05
	done
}

# wait_until SECONDS COMMAND...: asks ten times a second.
wait_until() {
	local tries=$(($1 * 10))
	shift
	while ! "$@" > /dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# settled: no flow is in doubt about where it belongs, so that a change is all there: no unsettled bucket, no VIP that moves.
settled() {
	[ "$(status | json "all([p['affinity']['settled'] for p in s['pools']] + [not v['moving'] for v in s['vips']])")" = True ]
}
wait_settled() { wait_until 30 settled || { status; return 1; }; }

# json EXPRESSION: the value of a Python expression about s, the JSON on standard input.
json() {
	python3 -c 'import json, sys; s = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

# TAP. Each test script: begin NAME, ok ... in any number, done_testing.

tests=0
failed=0

# ok NAME COMMAND...: a test that passes where the command does. What it prints is shown only when it fails.
ok() {
	local name=$1 status
	shift
	tests=$((tests + 1))
	# Not in a condition: there a function's own failing commands would not end it.
	set +e
	(set -e; "$@") > "$tmp/ok" 2>&1
	status=$?
	set -e
	if [ $status = 0 ]; then
		echo "ok $tests - $name"
	else
		failed=$((failed + 1))
		echo "not ok $tests - $name"
		sed 's/^/# /' "$tmp/ok"
	fi
}

# refuses COMMAND...: passes where the command fails by itself (not: killed, not found).
refuses() {
	local status=0
	"$@" || status=$?
	[ $status -gt 0 ] && [ $status -lt 126 ]
}

# equal WANT GOT
equal() {
	[ "$1" = "$2" ] || { echo "wanted: $1"; echo "got:    $2"; return 1; }
}

# refused PATTERN COMMAND...: fails by itself, and what it says has the pattern (grep -E).
refused() {
	local pattern=$1
	shift
	refuses "$@" > "$tmp/said" 2>&1 || { cat "$tmp/said"; echo "was not refused"; return 1; }
	grep -E -- "$pattern" "$tmp/said" || { cat "$tmp/said"; echo "lacks: $pattern"; return 1; }
}

done_testing() {
	echo "1..$tests"
	[ $failed = 0 ] || [ ! -f "$tmp/controller.log" ] || sed 's/^/# controller: /' "$tmp/controller.log"
	exit $((failed > 0))
}
