#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# testenv/demo, with few requests: it succeeds, it fails where a request fails, and it leaves nothing behind, whenever
# it is interrupted.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
export DEMO_REQUESTS=20 DEMO_BYTES=1000000 TAILRACE_PREPARED=1
out=

# demo [ENVIRONMENT...]: in the background; "$demo" is its pid and so its tag's number. A shell's background jobs ignore SIGINT
# and cannot take that back, hence env.
demo() {
	out=$tmp/demo.log
	: > "$out"	# before anyone looks for a line in it
	setsid env --default-signal=INT "$@" "$testenv/demo" > "$out" 2>&1 < /dev/null &
	demo=$!
}

nothing_left() {
	local left
	left=$(namespaces "demo-$1"; ls -d "$pins/demo-$1"* "/tmp/tailrace-demo-$1" 2> /dev/null || true
		pgrep -af "demo-$1" || true)
	equal "" "$left"
}

succeeds() {
	local status=0
	demo
	wait "$demo" || status=$?
	cat "$out"
	equal 0 "$status"
	grep -q "^84 requests, 0 failed" "$out"
	[ "$(grep -cE '^  (www|echo) +(10|fd|all)' "$out")" = 8 ]
	nothing_left "$demo"
}

# A tailrace that opens no tunnel on b2.
fails() {
	local status=0
	cat > "$tmp/tailrace" <<-END
		#!/bin/bash
		[[ "\$*" != decap*-b2* ]] || exit 0
		exec $tailrace "\$@"
	END
	chmod +x "$tmp/tailrace"
	demo TAILRACE="$tmp/tailrace" DEMO_REQUESTS=8
	wait "$demo" || status=$?
	cat "$out"
	equal 1 "$status"
	grep -E "^[0-9]+ requests, [1-9][0-9]* failed" "$out"
	nothing_left "$demo"
}

# interrupted SIGNAL PATTERN: as soon as it has come so far.
interrupted() {
	local status=0
	demo
	wait_until 20 grep -q "$2" "$out" || { cat "$out"; return 1; }
	kill -s "$1" -- "-$demo"	# as a terminal does
	wait "$demo" || status=$?
	cat "$out"
	[ "$status" != 0 ]
	nothing_left "$demo"
}

# interrupted_after SECONDS, with as many requests as usual.
interrupted_after() {
	local status=0
	demo DEMO_REQUESTS=600
	sleep "$1"
	kill -s INT -- "-$demo"
	wait "$demo" || status=$?
	cat "$out"
	[ "$status" != 0 ]
	nothing_left "$demo"
}

kept() {
	demo KEEP=1
	wait "$demo"
	cat "$out"
	[ "$(namespaces "demo-$demo" | wc -l)" = 6 ]
	nsenter --net="/run/netns/demo-$demo-client" curl -s -m 5 "http://$vip4/" | grep -q '^b[123]$'
	"$testenv/demo" --down "demo-$demo"
	nothing_left "$demo"
}

begin demotest
ok "it succeeds and leaves nothing behind" succeeds
ok "it fails where requests fail" fails
ok "SIGINT at the drawing" interrupted INT "answer from the backend"
ok "SIGTERM under traffic" interrupted TERM "^  HTTP, IPv4"
ok "SIGINT under traffic" interrupted INT "^  download, IPv4"
for pause in 0.2 0.5 0.9; do
	ok "SIGINT after $pause s" interrupted_after $pause
done
ok "KEEP=1 leaves it up, --down takes it down" kept
done_testing
