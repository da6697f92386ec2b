#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What happens to the device under a controller, and what a controller is refused: an interface deleted and made anew, or
# renamed; another interface or network namespace for the same instance; a change where every limit is reached; other
# outer sources under traffic; a reload that fails half way.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
sources=(172.16.0.0/24 172.20.0.0/16)	# backends take no others

bring_up() {
	local host
	make_network b1 b2
	for host in b1 b2; do
		serve_vip "$host" "$vip4" 192.0.2.2
		on "$host" "$tailrace" decap eth0 --pin "$pins/$tag-$host" --vip "$vip4" 192.0.2.2 \
			--source "${sources[@]}" > "$tmp/decap-$host.log" 2>&1
		start_nginx "$host" 80
		start_echo "$host" 7 8
	done
	head -c 24000000 /dev/urandom > "$tmp/files/long"
	ip -n "$tag-balancer" link add eth1 type veth peer name eth2
	ip -n "$tag-balancer" link set eth1 up
	web eth0
}

# web DEVICE [SOURCE4 [WEIGHT [SERVICES]]]
web() {
	cat > "$config" <<-END
		instance: $tag
		devices: [$1]
		limits: { backends: 64, ring_words: 16400 }
		encapsulation: { source4: ${2:-172.16.0.0/24} }
		pools:
		  - name: web
		    times: $quick
		    ring_size: 4099
		    backends: [{ address: $(address4 b1) }, { address: $(address4 b2), weight: ${3:-100} }]
		vips:
		  - { name: www, addresses: [$vip4], services: [80/tcp, 7/udp${4:-}], pool: web }
	END
}

in_balancer() { ip -n "$tag-balancer" "$@"; }
serves() { served_by "b1 b2" 40 "$vip4"; }
run_briefly() { on "${1:-balancer}" timeout 20 "$tailrace" run -c "$config"; }
program() { attached | sed -n 's/.*prog\/xdp id \([0-9]*\).*/\1/p'; }

index_of() { ip -j -n "$tag-$1" link show dev eth0 | json "s[0]['ifindex']"; }

# start [OPTIONS OF run]: in the background, and its exit status is written down.
start() {
	rm -f "$tmp/controller.status"
	: > "$tmp/controller.log"
	# shellcheck disable=SC2016 # expanded by that shell
	spawn balancer "$tmp/controller.log" bash -c '"$@" & echo $! > "$0.pid"; trap "" HUP TERM; wait $!; echo $? > "$0.status"' \
		"$tmp/controller" "$tailrace" run -c "$config" "$@"
	wait_until 20 controller_is ready
	wait_until 10 all_take_flows
}
# ended WANTED_STATUS
ended() {
	wait_until 10 test -s "$tmp/controller.status"
	cat "$tmp/controller.log"
	equal "$1" "$(< "$tmp/controller.status")"
}
stop() {
	kill -TERM "$(controller_pid)"
	ended 0
}

hup() {
	: > "$tmp/controller.log"
	kill -HUP "$(controller_pid)"
	wait_until 5 grep -q applied "$tmp/controller.log"
	cat "$tmp/controller.log"
}
applied() {
	hup
	grep 'yaml: applied' "$tmp/controller.log"
}

# What forwarding depends on: the program, the backends of every bucket, and the backends' records.
forwarding() {
	program
	bpftool -j map dump pinned "$pins/$tag/rings" | json "sum(hash((e['formatted']['key'], e['formatted']['value'] & (1 << 40) - 1))
		for e in s)"
	bpftool -j map dump pinned "$pins/$tag/backends" | sha256sum
}

# untouched COMMAND...: passes where forwarding is afterwards what it was before.
untouched() {
	forwarding > "$tmp/forwarding"
	"$@"
	equal "$(< "$tmp/forwarding")" "$(forwarding)"
	serves
}

remake_eth0() {
	in_balancer link del eth0
	sleep 0.3
	connect_balancer
}
connect_balancer() {
	local prefix
	ip -n "$tag-router" link add balancer mtu 1600 type veth peer name eth0 mtu 1600 netns "$tag-balancer"
	ip -n "$tag-router" -b - <<-END
		addr add 10.0.1.1/24 dev balancer
		addr add fd00:0:0:1::1/64 dev balancer nodad
		link set balancer up
	END
	restore_addresses
	for prefix in "${vip_routes[@]}"; do
		case $prefix in
		*:*) ip -n "$tag-router" route replace "$prefix" via "$(address6 balancer)" ;;
		*) ip -n "$tag-router" route replace "$prefix" via "$(address4 balancer)" ;;
		esac
	done
	prepare_for_xdp_tx
}
restore_addresses() {
	in_balancer -b - <<-END
		addr replace 10.0.1.2/24 dev eth0
		addr replace fd00:0:0:1::2/64 dev eth0 nodad
		link set eth0 up
		route replace default via 10.0.1.1
		route replace default via fd00:0:0:1::1
	END
}

attached_anew() {
	remake_eth0
	wait_until 8 attached || { cat "$tmp/controller.log"; return 1; }
	wait_until 8 serves || { cat "$tmp/controller.log"; status; stats; serves; }
	wait_until 5 all_take_flows
	refuses controller_is gone
}

test_remade() {
	start
	ok "traffic" serves
	ok "the interface is deleted and made anew: attached to the new one" attached_anew
	ok "and once more" attached_anew
	ok "status names it" equal "['eth0']" "$(status | json "[a['device'] for a in s['attached']]")"
	web eth0 172.16.0.0/24 300
	ok "a reload after it" applied
	ok "traffic goes on" serves
	ok "stops" stop
	web eth0
}

# hup_and_stop [OPTIONS OF run]
hup_and_stop() {
	start "$@"
	web eth0 172.16.0.0/24 200
	applied
	kill -HUP "$(controller_pid)"
	stop
	web eth0
}

test_stop_after_reload() {
	ok "reloaded, then stopped" hup_and_stop
	ok "it goes on forwarding" serves
	ok "reloaded, then stopped with --detach-on-exit" hup_and_stop --detach-on-exit
	ok "it is detached" refuses attached
}

rename_and_stop() {
	start --detach-on-exit
	in_balancer link set eth0 down
	in_balancer link set eth0 name wan0 up
	sleep 1.5	# it looks for its device once a second
	refuses controller_is gone
	stop
}

test_renamed() {
	ok "the interface is renamed, then stopped with --detach-on-exit" rename_and_stop
	ok "it is detached from what has another name now" refuses grep xdp <(in_balancer link show dev wan0)
	in_balancer link set wan0 down
	in_balancer link set wan0 name eth0
	restore_addresses
	ok "its name is back: attached" start
	ok "its name is back: traffic" wait_until 5 serves
	ok "its name is back: stops" stop
}

# Forwarding without a controller is as little another one's to disturb as forwarding with one.
test_elsewhere() {
	web eth1
	ok "run with another device is refused" untouched refused "eth1: .*attached to interface" run_briefly
	web eth0
	# An index says nothing: here is another interface with the same one.
	make_namespace other
	ip -n "$tag-other" link add eth0 index "$(index_of balancer)" type veth peer name eth1
	ok "two namespaces' eth0 have one index" equal "$(index_of balancer)" "$(index_of other)"
	ok "run in another network namespace is refused" untouched refused "attached to interface" run_briefly other
	ok "detach there does nothing" untouched refused "not attached" on other "$tailrace" detach eth0 -i "$tag"
	ok "attach there is refused" untouched refused "attached to interface" on other "$tailrace" attach eth0 -i "$tag"
	ok "nothing is attached there" refuses grep xdp <(ip -n "$tag-other" link show dev eth0)
	ip -n "$tag-other" link set dev eth0 xdp obj "$top/build/testenv/xdp_pass.bpf.o" sec xdp
	ok "detach there leaves another program where it is" untouched refused "not attached" \
		on other "$tailrace" detach eth0 -i "$tag"
	ok "it is there" grep xdp <(ip -n "$tag-other" link show dev eth0)
	on balancer "$tailrace" unload -i "$tag" 2> /dev/null
}

refuses_taken_port() {
	on balancer python3 -c '
import socket, time
s = socket.create_server(("127.0.0.1", 9564))
open("'"$tmp/taken"'", "w")
time.sleep(20)' &
	local listener=$!
	wait_until 5 test -e "$tmp/taken"
	refused "9564" run_briefly || { kill "$listener"; return 1; }
	kill "$listener"
	refuses attached
}

test_refused() {
	echo "metrics: 127.0.0.1:9564" >> "$config"
	ok "the metrics port is taken: an error, and nothing attached" refuses_taken_port
	web eth0
	ok "load for one device" on balancer "$tailrace" load -c "$config"
	ok "attach to another is refused, and says why" refused "eth1: .*eth0" on balancer "$tailrace" attach eth1 -i "$tag"
	ok "it is not attached there" refuses grep xdp <(in_balancer link show dev eth1)
	on balancer "$tailrace" unload -i "$tag" 2> /dev/null
}

# full [ADDRESS [VIP [POOL [SERVICE [BACKEND]]]]]: one of each, and room for one of each.
full() {
	cat > "$config" <<-END
		instance: $tag
		devices: [eth0]
		limits: { addresses: 1, vips: 1, pools: 1, services: 1, backends: 1, ring_words: 1024 }
		encapsulation: { source4: 172.16.0.0/24 }
		pools:
		  - { name: ${3:-web}, times: $quick, ring_size: 251, backends: [{ address: $(address4 "${5:-b1}") }] }
		vips:
		  - { name: ${2:-www}, addresses: [${1:-$vip4}], services: [${4:-7/udp}], pool: ${3:-web} }
	END
}
# change BACKEND ADDRESS PORT ARGUMENTS OF full...
change() {
	full "${@:4}"
	applied
	wait_until 3 all_take_flows
	wait_settled
	echoed_by "$1" 8 "$2" "$3"
}

test_full_limits() {
	full
	ok "one of each, every limit is one" start
	ok "limits reached: another backend" change b2 "$vip4" 7 "$vip4" www web 7/udp b2
	stop > /dev/null
	on balancer "$tailrace" unload -i "$tag" 2> /dev/null
	full
	ok "one of each again" start
	ok "limits reached: another address" change b1 192.0.2.2 7 192.0.2.2
	ok "limits reached: another VIP" change b1 192.0.2.2 7 192.0.2.2 other
	ok "limits reached: another port" change b1 192.0.2.2 8 192.0.2.2 other web 8/udp
	ok "limits reached: another pool" change b1 192.0.2.2 8 192.0.2.2 other pool 8/udp
	ok "a backend's number rests, and a reload that needs it says so" \
		refused "all 2 backend numbers .*until its drain time is over" change b2 "$vip4" 7 "$vip4" www web 7/udp b2
	ok "what was refused has changed nothing" echoed_by b1 8 192.0.2.2 8
	full "$vip4" www web 7/udp b2
	ok "a while later the number is free, and the same reload is taken" wait_until 40 applied
	ok "limits reached: all at once" change b2 "$vip4" 7 "$vip4" www web 7/udp b2
	ok "stops" stop
	on balancer "$tailrace" unload -i "$tag" 2> /dev/null
}

sources_change() {
	local source
	echoes 4000 "$vip4" 7 > "$tmp/echoes" &
	for source in 172.20.0.0/16 172.16.0.0/24 172.20.0.0/24 172.20.0.0/16 172.20.7.0/30 172.16.0.0/26 172.16.0.0/24; do
		web eth0 "$source"
		applied
		fetch 50 "http://$vip4/"
	done > "$tmp/fetched"
	wait
	equal "b1 b2" "$(grep -v yaml "$tmp/fetched" | grep -E '^[0-9]{3}' | answered_by)"
	equal "b1 b2" "$(answered_by < "$tmp/echoes")"
}

test_sources() {
	web eth0
	start
	begin_download "$vip4" long
	sleep 0.3
	ok "outer sources are widened, narrowed and moved under traffic: nothing is lost" sources_change
	ok "a download has lasted through that" end_download long
	ok "no packet under another verdict" no_bad_verdicts
}

fails_half_way() {
	echoes 200 "$vip4" 7 20000 > "$tmp/before"
	bpftool map freeze pinned "$pins/$tag/services"
	web eth0 172.16.0.0/24 900 ", 8/udp"
	hup
	grep 'not applied' "$tmp/controller.log"
	grep -E 'cannot write service .*\(step ([2-9]|[1-9][0-9])' "$tmp/controller.log"
	equal "$(< "$tmp/before")" "$(echoes 200 "$vip4" 7 20000)"
	refuses controller_is gone
}

test_failing_reload() {
	ok "a reload that fails half way is taken back" untouched fails_half_way
	ok "the service that it could not add is not there" equal "['80/tcp', '7/udp']" "$(status | json "s['vips'][0]['services']")"
	web eth0
	ok "the file before is applied again" applied
	ok "stops" stop
	ok "no packet under another verdict" no_bad_verdicts
}

begin device
bring_up
test_remade
test_stop_after_reload
test_renamed
ok "attached once more" start
ok "and left forwarding" stop
test_elsewhere
test_refused
test_full_limits
test_sources
test_failing_reload
done_testing
