#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# SIGHUP: what changed in the file changes, nothing else does; a file with a mistake changes nothing.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
flows=300

# The slow download's acknowledgements are most of a second apart, and more on a busy machine: it must not be silent for W.
slow='{ settle: 6, udp: 1, syn: 0, record: 60, linger: 1, drain: 1 }'

# write_config "HOST WEIGHT [MORE]"...: pool web's backends. $more: lines behind the VIPs; $hash_key: the key's line.
more=
hash_key=
write_config() {
	local line host weight rest
	{
		echo "pools:"
		echo "  - name: web"
		echo "    times: $quick"
		echo "    backends:"
		for line; do
			read -r host weight rest <<< "$line"
			echo "      - { address: $(address4 "$host"), weight: $weight$rest }"
		done
		cat <<-END
			  - { name: other, times: $slow, backends: [{ address: "$(address6 b2)" }, { address: "$(address6 b3)" }] }
			vips:
			  - { name: www, addresses: [192.0.2.1, "2001:db8::1"], services: [80/tcp, 7/udp], pool: web }
			  - { name: other, addresses: [192.0.2.2], services: [80/tcp, 7/udp], pool: other }
		END
		[ -z "$more" ] || echo "$more"
		[ -z "$hash_key" ] || echo "$hash_key"
	} | configure
}

bring_up() {
	local host
	make_network b1 b2 b3
	for host in b1 b2 b3; do
		open_tunnel "$host" 192.0.2.0/24 2001:db8::/64
		start_nginx "$host" 80
		start_echo "$host" 7
	done
	write_config "b1 100" "b2 100"
	start_controller
	head -c 24000000 /dev/urandom > "$tmp/files/long"
}

hup() {
	: > "$tmp/controller.log"
	kill -HUP "$(controller_pid)"
	wait_until 5 grep -q applied "$tmp/controller.log"
}

# change "BACKENDS AFTER IT" LEAST MOST MAY_MOVE_TO WRITE_CONFIG_ARGUMENTS...: after the reload these backends answer, and
# of the flows so many have moved, nearly all of them to (or away from) the named one.
change() {
	local want=$1 least=$2 most=$3 whose=$4
	shift 4
	echoes "$flows" 192.0.2.1 7 20000 > "$tmp/before"
	write_config "$@"
	hup
	cat "$tmp/controller.log"
	wait_until 5 all_take_flows
	wait_settled
	echoes "$flows" 192.0.2.1 7 20000 > "$tmp/after"
	equal "$want" "$(answered_by < "$tmp/after")"
	paste -d ' ' "$tmp/before" "$tmp/after" | awk -v whose="$whose" -v least="$least" -v most="$most" '
		$2 != $4 { moved++ }
		$2 != $4 && $2 != whose && $4 != whose { others++ }
		END {
			printf "%d flows moved, %d of them between others\n", moved, others
			exit moved < least || moved > most || others > NR / 50
		}'
}

# Flows find their backends anew: 3/8 of them in another one. The first key, where write_config names none, is the default.
test_hash_key() {
	hash_key='hash_key: 00112233445566778899aabbccddeeff'
	ok "another hash key" change "b1 b2" 70 160 b1 "b1 300" "b2 100"
	hash_key=
	ok "the key before" change "b1 b2" 70 160 b1 "b1 300" "b2 100"
}

# wrong PATTERN: the file as it stands is refused for this, and nothing has changed.
wrong() {
	local before
	before=$(served)
	hup
	cat "$tmp/controller.log"
	grep -qE "$1" "$tmp/controller.log"
	equal "$before" "$(served)"
	controller_is gone && return 1
	no_bad_verdicts
}
served() {
	status | json "[(p['name'], p['ring_changes'], p['backends']) for p in s['pools']], s['vips']"
	echoes "$flows" 192.0.2.1 7 20000
}

test_changes() {
	ok "a backend is added" change "b1 b2 b3" 70 130 b3 "b1 100" "b2 100" "b3 100"
	ok "nothing changes" change "b1 b2 b3" 0 0 - "b1 100" "b2 100" "b3 100"
	ok "another order of lines changes nothing" change "b1 b2 b3" 0 0 - "b3 100" "b1 100" "b2 100"
	ok "a weight grows" change "b1 b2 b3" 50 110 b1 "b1 300" "b2 100" "b3 100"
	ok "a backend goes down" change "b1 b3" 30 90 b2 "b1 300" "b2 100 , state: down" "b3 100"
	ok "a backend comes up again" change "b1 b2 b3" 30 90 b2 "b1 300" "b2 100" "b3 100"
	ok "a backend is removed" change "b1 b2" 30 90 b3 "b1 300" "b2 100"
}

test_new_vip() {
	ok "no VIP yet" not_served 192.0.2.9
	more='  - { name: new, addresses: [192.0.2.9], services: [80/tcp], pool: web }'
	write_config "b1 300" "b2 100"
	hup
	ok "a new VIP" served_by "b1 b2" 60 192.0.2.9
	more=
	write_config "b1 300" "b2 100"
	hup
	ok "the VIP is gone again" not_served 192.0.2.9
	ok "its packets are the host's" [ "$(verdict not_vip)" -gt 0 ]
}

test_mistakes() {
	write_config "b1 300" "b2 5000"
	ok "a weight out of range" wrong "tailrace.yaml:10: .*weight.*5000"
	write_config "b1 300" "b2 100 , wieght: 3"
	ok "an unknown field" wrong "tailrace.yaml:10: .*wieght"
	echo "  broken: [" >> "$config"
	ok "no YAML" wrong "tailrace.yaml:[0-9]+: "
	rm "$config"
	ok "no file" wrong "tailrace.yaml: "
	write_config "b1 300" "b2 100"
	sed -i 's/^instance: .*/&-other/' "$config"
	ok "another instance is refused" wrong "instance"
	write_config "b1 300" "b2 100"
	ok "the good file again changes nothing" change "b1 b2" 0 0 - "b1 300" "b2 100"
}

begin reload
bring_up
begin_download 192.0.2.2 long
echoes 64 192.0.2.2 7 20000 > "$tmp/other"
test_changes
test_new_vip
test_hash_key
test_mistakes
ok "flows of the other pool stay" equal "$(cat "$tmp/other")" "$(echoes 64 192.0.2.2 7 20000)"
ok "a download from the other pool has lasted through all that" end_download long
ok "no packet under another verdict" no_bad_verdicts
done_testing
