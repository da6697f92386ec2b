#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Forwarding does not depend on the controller: it is killed and started again under traffic, stopped, refused a second
# time, and takes its program along only when it is told to.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

bring_up() {
	local host
	make_network b1 b2 b3
	for host in b1 b2 b3; do
		open_tunnel "$host" "$vip4" "$vip6"
		start_nginx "$host" 80
		start_echo "$host" 7
	done
	configure <<-END
		pools:
		  - name: web
		    times: $quick
		    backends: [{ address: $(address4 b1) }, { address: $(address4 b2) }, { address: "$(address6 b3)" }]
		vips:
		  - { name: www, addresses: [$vip4, "$vip6"], services: [80/tcp, 7/udp], pool: web }
	END
	start_controller
	head -c 24000000 /dev/urandom > "$tmp/files/long"
}

# What must survive: numbers and generations of backends, identities of program and maps.
identity() {
	bpftool -j map dump pinned "$pins/$tag/backend_info" | json "[(e['formatted']['key'],
		e['formatted']['value']['address'], e['formatted']['value']['generation'], e['formatted']['value']['state'])
		for e in s if e['formatted']['value']['state']]"
	bpftool -j prog show pinned "$pins/$tag/entry" | json "s['id']"
	bpftool -j map show pinned "$pins/$tag/rings" | json "s['id']"
	bpftool -j link show pinned "$pins/$tag"/link-* | json "s['id']"
}

# A download goes on while the controller is killed, flows are new and old without it, and it starts again.
long_download() {
	begin_download "$1" long
	sleep 0.5
	packets > "$tmp/before"
	kill -KILL "$(controller_pid)"
	wait_until 5 controller_is gone
	served_by "b1 b2 b3" 100 "$1"
	start_controller
	packets > "$tmp/after"
	served_by "b1 b2 b3" 100 "$1"
	echo "the download itself:"
	end_download long
}

packets() { stats | json "s['vips'][0]['packets']"; }

counters_go_on() {
	echo "$(< "$tmp/before"), then $(< "$tmp/after")"
	[ "$(< "$tmp/before")" -ge 1000 ] && [ "$(< "$tmp/after")" -gt "$(< "$tmp/before")" ]
}

test_kill() {
	local vip
	identity > "$tmp/identity"
	fetch 300 "http://$vip4/" > /dev/null
	echoes 64 "$vip4" 7 20000 > "$tmp/flows"
	for vip in "$vip4" "$vip6"; do
		ok "killed and started again under a download from $vip" long_download "$vip"
		ok "counters go on" counters_go_on
	done
	ok "backends keep their numbers; programs, maps and link stay" equal "$(cat "$tmp/identity")" "$(identity)"
	ok "flows keep their backends" equal "$(cat "$tmp/flows")" "$(echoes 64 "$vip4" 7 20000)"
	ok "no packet under another verdict" no_bad_verdicts
}

test_second() {
	ok "a second controller is refused" refused "$tag.*(another|already|in use)" \
		on balancer timeout 10 "$tailrace" run -c "$config"
	ok "load is refused, too" refused "$tag.*(another|already|in use)" \
		on balancer timeout 10 "$tailrace" load -c "$config"
	ok "the first one goes on" controller_is ready
	ok "status says that it runs" equal True "$(running)"
}

# A newer version's programs (here: of another cache size) come in the place of the old ones, on the same link.
upgraded() {
	sed -i 's/ring_words: [0-9]*/&, cache: 8192/' "$config"
	echoes 64 "$vip4" 7 20000 > "$tmp/flows"
	echoes 3000 "$vip4" 7 > "$tmp/echoes" &
	start_controller
	wait
	equal "b1 b2 b3" "$(answered_by < "$tmp/echoes")"
	equal "$(cat "$tmp/flows")" "$(echoes 64 "$vip4" 7 20000)"
	identity > "$tmp/upgraded"
	equal "$(sed -n 1p "$tmp/identity")" "$(sed -n 1p "$tmp/upgraded")"
	refuses equal "$(sed -n 2p "$tmp/identity")" "$(sed -n 2p "$tmp/upgraded")"
	equal "$(sed -n 3,4p "$tmp/identity")" "$(sed -n 3,4p "$tmp/upgraded")"
}

test_upgrade() {
	local before
	before=$(packets)
	ok "other programs take over under traffic" upgraded
	ok "counters go on, too" [ "$(packets)" -ge $((before + 3000)) ]
	stop_controller
}

test_stop() {
	ok "stops at SIGTERM" stop_controller
	ok "status says that none runs" equal False "$(running)"
	ok "traffic goes on" served_by "b1 b2 b3" 100 "$vip4"
	ok "stats can be read" [ "$(packets)" -gt 0 ]
}

test_detach_on_exit() {
	start_controller --detach-on-exit
	ok "attached" attached
	ok "--detach-on-exit: stops at SIGINT" stop_controller INT
	ok "--detach-on-exit: detached" refuses attached
	ok "--detach-on-exit: no traffic" not_served "$vip4"
	start_controller
	ok "and attached again" served_by "b1 b2 b3" 100 "$vip4"
	stop_controller
	ok "unload" on balancer "$tailrace" unload -i "$tag"
	ok "unload: detached" refuses attached
	ok "unload: no pins" refuses test -e "$pins/$tag"
}

begin takeover
bring_up
test_kill
test_second
test_stop
test_upgrade
test_detach_on_exit
done_testing
