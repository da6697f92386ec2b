#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The command line: exit statuses, messages that say what would be right, limits, changes of the hash key, unload, systemd's
# notification, and that bpftool prints every map as structures.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# Few flows, so that a look into all of their map is quick.
limits='limits: { backends: 100, vips: 10, ring_words: 131074, cache: 64, tcp_flows: 64, syn_flows: 64, udp_flows: 64, tracked_flows: 64,
	fragments: 64 }'
commands=(run check load attach detach unload status stats decap version help)

configure_with() {
	cat > "$config" <<-END
		instance: $tag
		devices: [eth0]
		$1
		pools:
		  - { name: web, times: $quick, backends: [{ address: $(address4 b1) }, { address: "$(address6 b1)", weight: 200 }] }
		vips:
		  - { name: www, addresses: [$vip4, "$vip6", 198.51.100.0/24], services: [80/tcp, all/udp], pool: web }
	END
}

status_is() {
	local wanted=$1 status=0
	shift
	"$@" > "$tmp/said" 2>&1 || status=$?
	cat "$tmp/said"
	equal "$wanted" "$status"
}

# said PATTERN COMMAND...: succeeds, and what it says has the pattern.
said() {
	local pattern=$1
	shift
	"$@" > "$tmp/said" 2>&1
	grep -E -- "$pattern" "$tmp/said" || { cat "$tmp/said"; return 1; }
}

load() { on balancer "$tailrace" load -c "$config" "$@"; }

lists_every_command() {
	local name
	"$tailrace" help > "$tmp/help"
	for name in "${commands[@]}"; do
		grep "^  $name " "$tmp/help"
	done
	equal ${#commands[@]} "$(grep -c '^  [a-z]' "$tmp/help")"
}

every_command_has_help() {
	local name
	for name in "${commands[@]}"; do
		"$tailrace" help "$name" | grep -q "^usage: tailrace" || { echo "$name"; return 1; }
	done
}

key() { bpftool -j map dump pinned "$pins/$tag/settings" | json "s[0]['formatted']['value']['hash_key']"; }

# key_becomes KEY: by a load.
key_becomes() {
	local before
	before=$(key)
	configure_with "$limits"$'\n'"hash_key: $1"
	load
	refuses equal "$before" "$(key)"
}

# key_waits KEY: VIPs still move from the key before, since no controller settles them.
key_waits() {
	local before
	before=$(key)
	configure_with "$limits"$'\n'"hash_key: $1"
	load
	equal "$before" "$(key)"
	equal True "$(moving)"
}

moving() { on balancer "$tailrace" status -i "$tag" --json | json "s['vips'][0]['moving']"; }

# A controller settles it.
key_settles() {
	start_controller
	wait_settled
	stop_controller
	equal False "$(moving)"
}

load_waits() {
	equal True "$(moving)"
	load --wait
	equal False "$(moving)"
	settled
}

# Structures, not bytes: bpftool puts the value's fields under "formatted". A PROG_ARRAY holds ids.
prints_every_map() {
	local map
	for map in vip_addresses vip_prefixes services vips rings backends settings verdicts vip_traffic backend_traffic \
		backend_info pool_info vip_info vip_old pool_flows pool_counts flows flow_state backend_tags fragments \
		tokens instance scratch vip_cache; do
		bpftool -j map dump pinned "$pins/$tag/$map" > "$tmp/dump"
		grep -q '"formatted"' "$tmp/dump" || { echo "$map"; head -c 300 "$tmp/dump"; return 1; }
	done
	equal 7 "$(bpftool -j map dump pinned "$pins/$tag/stages" | json "len(s)")"
}

# A socket like systemd's: READY=1 when the controller forwards, STOPPING=1 at its end.
notifies() {
	python3 - "$tmp/notify" > "$tmp/notified" <<-'END' &
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		s.settimeout(20)
		while True:
		    said = s.recv(100).decode()
		    print(said, flush=True)
		    if said == "STOPPING=1":
		        break
	END
	local listener=$!
	wait_until 5 test -S "$tmp/notify"
	NOTIFY_SOCKET=$tmp/notify start_controller
	wait_until 5 grep -q READY=1 "$tmp/notified"
	kill -HUP "$(controller_pid)"
	wait_until 5 grep -q RELOADING=1 "$tmp/notified"
	kill "$(controller_pid)"
	wait "$listener"
	equal "READY=1 RELOADING=1 READY=1 STOPPING=1" "$(xargs < "$tmp/notified")"
}

begin commands
make_network b1

ok "version" equal "tailrace" "$("$tailrace" version | cut -d ' ' -f 1)"
ok "help lists every command" lists_every_command
ok "every command has help" every_command_has_help
ok "no command: 2" status_is 2 "$tailrace"
ok "unknown command: 2, and it says where help is" status_is 2 "$tailrace" runn
ok "unknown option" refused "stats --help" "$tailrace" stats --jsno
ok "no configuration named" refused "no configuration" "$tailrace" check
ok "one argument too many" refused "unexpected argument 'x'" "$tailrace" unload x

configure_with "$limits"
ok "check: a good file" "$tailrace" check -c "$config"
ok "check --quiet says nothing" equal "" "$("$tailrace" check -q -c "$config" 2>&1)"
ok "check: no such file" refused "nosuch.yaml" "$tailrace" check -c /nosuch.yaml
printf 'pools: []\nvips: []\nport: 80\n' > "$tmp/bad.yaml"
ok "check: a bad file: 1, with its line" refused "bad.yaml:3: port:.*unknown field" "$tailrace" check -c "$tmp/bad.yaml"

ok "status of no instance says what makes one" refused "tailrace load -c" "$tailrace" status -i "$tag"
ok "load" load
ok "bpftool prints every map as structures" prints_every_map
ok "load again changes nothing" said "nothing to change" load
configure_with "${limits/backends: 100/backends: 101}"
ok "a limit above the map's size names both" refused "limits.backends: .*made for" load
configure_with "${limits/backends: 100/backends: 50}"
ok "a limit below it is taken" load
configure_with "${limits/syn_flows: 64/syn_flows: 68}"
ok "a tier of flows above its place names its limit" refused "limits.syn_flows: 68, .*made for 64" load
configure_with "${limits/tcp_flows: 64/tcp_flows: 65}"
ok "also one that has twice its limit" refused "limits.tcp_flows: 65, .*made for 64" load
configure_with "hash_key: 00000000000000000000000000000001"
ok "limits left out are the defaults, above the maps'" refused "limits\." load
ok "another hash key is taken" key_becomes 00000000000000000000000000000001
ok "status says that VIPs move" equal True "$(moving)"
ok "a second one waits until that is over" key_waits 00000000000000000000000000000002
configure_with "$limits"$'\nhash_key: 00000000000000000000000000000001'
ok "the first one stays good" load
ok "a controller ends the move" key_settles
ok "now the second one is taken" key_becomes 00000000000000000000000000000002
ok "load --wait stays until that has settled" load_waits
ok "a bad file leaves the instance as it is" refused "bad.yaml:3" on balancer "$tailrace" load -c "$tmp/bad.yaml"
ok "it is still there" "$tailrace" status -i "$tag"

ok "systemd is told" notifies
start_controller
ok "unload is refused while a controller runs" refused "controller runs" on balancer "$tailrace" unload -i "$tag"
kill "$(controller_pid)"
wait_until 5 controller_is gone
ok "unload" on balancer "$tailrace" unload -i "$tag"
ok "nothing is left of it" refuses test -e "$pins/$tag"
ok "nor on the interface" refuses grep -q xdp <(ip -n "$tag-balancer" link show dev eth0)
done_testing
