#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# ICMP to VIPs: pings are answered by the balancer, within limits; traceroute and tracepath come to their end; errors about
# a flow come to its backend and to no other; and the balancer's own ICMP stays its own.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# On the balancer's link, and the balancer's own.
link4=10.0.1.9
link6=fd00:0:0:1::9

write_config() {
	configure "$@" <<-END
		$(mixed_pools)
		  - { name: down, backends: [{ address: $(address4 b1), state: down }] }
		$(mixed_vips_with)
		  - { name: quiet, addresses: [192.0.2.3, "2001:db8::3"], services: [80/tcp], pool: four, echo: off }
		  - { name: ports, addresses: [192.0.2.4, "2001:db8::4"], services: [80/tcp, all/udp], pool: four }
		  - { name: down, addresses: [192.0.2.5, "2001:db8::5"], services: [80/tcp, all/udp], pool: down }
		  - { name: link, addresses: [$link4, "$link6"], services: [80/tcp], pool: four }
	END
}

bring_up() {
	make_network b1 b2
	add_client_addresses
	serve_mixes $link4 $link6
	ip -n "$tag-balancer" addr add $link4/32 dev eth0
	ip -n "$tag-balancer" addr add $link6/128 dev eth0 nodad
	write_config
	start_controller
}

# pings ADDRESS [OPTIONS]: 5 of them, all answered, as from a host behind the router.
pings() {
	on client ping -n -c 5 -i 0.02 -W 2 "$1" "${@:2}" > "$tmp/ping"
	cat "$tmp/ping"
	equal 5 "$(grep -cE 'from .*ttl=63 ' "$tmp/ping")"
}
all_sizes() {
	local size largest=1472
	[[ $1 != *:* ]] || largest=1452
	for size in 0 1 7 16 57 1000 1399 $largest; do
		pings "$1" -s "$size"
	done
}
no_pings() { refuses on client ping -q -n -c 3 -i 0.02 -W 0.5 "$1"; }

test_echo() {
	local vip
	watch_packets b1 icmp or icmp6
	watch_packets b2 icmp or icmp6
	for vip in "${mixed_vips[@]}"; do
		ok "ping $vip" counted echo 5 pings "$vip"
	done
	ok "pings of many sizes, v4" counted echo 40 all_sizes $vip4
	ok "pings of many sizes, v6" counted echo 40 all_sizes $vip6
	ok "no backend has seen a ping" seen_on "" "ICMP"
	for vip in 192.0.2.5 2001:db8::5; do
		ok "all backends down: ping $vip" counted echo 5 pings "$vip"
	done
	for vip in 192.0.2.3 2001:db8::3; do
		ok "echo off: ping $vip" counted echo_off 3 no_pings "$vip"
		ok "echo off: its services are there" served_by "b1 b2" 20 "$vip"
	done
	for vip in 192.0.2.99 2001:db8::99; do
		ok "no VIP: ping $vip" counted not_vip 3 no_pings "$vip"
	done
	for vip in "$(address4 balancer)" "$(address6 balancer)"; do
		ok "the balancer itself: ping $vip" counted not_vip 5 pings "$vip"
	done
	ok "ping in fragments: the host's own, v4" counted icmp 3 refuses on client ping -q -c 1 -W 0.5 -s 4000 $vip4
	ok "ping in fragments: the host's own, v6" counted icmp 3 refuses on client ping -q -c 1 -W 0.5 -s 4000 $vip6
	ok "ping with IP options: the host's own" counted icmp 1 refuses on client ping -q -c 1 -W 0.5 -R $vip4
}

# traced VIP HOPS COMMAND...: it comes to the VIP, after so many hops, and ends there.
traced() {
	on client timeout 30 "${@:3}" "$1" > "$tmp/traced"
	cat "$tmp/traced"
	tail -n 2 "$tmp/traced" | grep -E "^ *$2:? +$1 "
}

test_traces() {
	local vip name trace=(traceroute -n -q 1 -w 2 -m 6)
	for vip in $vip4 $vip6; do
		name="to $vip"
		ok "traceroute with ICMP $name" traced "$vip" 2 "${trace[@]}" -I
		ok "traceroute with TCP $name" traced "$vip" 2 "${trace[@]}" -T -p 80
		ok "traceroute to a UDP service $name" traced "$vip" 2 "${trace[@]}" -U -p 7
	done
	for vip in 192.0.2.4 2001:db8::4; do
		name="to a VIP of all ports, $vip"
		ok "traceroute $name" traced "$vip" 2 "${trace[@]}"
		ok "tracepath $name" traced "$vip" 2 tracepath -n -m 6
	done
	# Where the balancer has the VIP for its own, its stack answers for what is no service.
	serve_vip balancer $vip4 $vip6
	for vip in $vip4 $vip6; do
		name="to a VIP that the balancer has, $vip"
		ok "traceroute $name" traced "$vip" 2 "${trace[@]}"
		ok "tracepath $name" traced "$vip" 2 tracepath -n -m 6
		ok "its services $name" served_by "b1 b2" 20 "$vip"
		ok "ping $name" counted echo 5 pings "$vip"
	done
	ip -n "$tag-balancer" -b - <<-END
		addr del $vip4/32 dev lo
		addr del $vip6/128 dev lo
	END
}

router_route() { ip -n "$tag-router" route "$@"; }

# Each flow's error, of this type and code, came to the backend that had served it, and to no other. FLOWS: "PORT BACKEND" on lines.
# errors_arrived FLOWS TYPE CODE VIP FROM
errors_arrived() {
	local port backend
	sleep 0.3	# for those that come to the wrong one
	while read -r port backend; do
		[[ $backend = b* ]]
		wait_until 5 grep -qE "^$2 $3 .* > $4: $4 7 > $5 $port\$" "$tmp/seen-$backend" || true
		seen_on "$backend" "^$2 $3 .* > $4: $4 7 > $5 $port\$"
	done < "$1"
	equal "b1 b2" "$(answered_by < "$1")"
}

flows() { echoes 12 "$1" 7 20000 -a "$2" "${@:3}"; }

# refused_by_route KIND TYPE4 CODE4 TYPE6 CODE6 VIP FROM: the router's way back to the client is closed.
refused_by_route() {
	local error="$2 $3"
	[[ $6 != *:* ]] || error="$4 $5"
	flows "$6" "$7" > "$tmp/flows"
	router_route add "$1" "$7"
	refuses equal "b1 b2" "$(flows "$6" "$7" -m 200 | answered_by)"
	router_route del "$1" "$7"
	# shellcheck disable=SC2086 # two words
	errors_arrived "$tmp/flows" $error "$6" "$7"
}

# hop_limit VIP FROM: answers do not come further than to the router.
hop_limit() {
	local host error="11 0"
	[[ $1 != *:* ]] || error="3 0"
	flows "$1" "$2" > "$tmp/flows"
	for host in b1 b2; do
		route_hops add "$host" "$2"
	done
	refuses equal "b1 b2" "$(flows "$1" "$2" -m 200 | answered_by)"
	for host in b1 b2; do
		route_hops del "$host" "$2"
	done
	# shellcheck disable=SC2086 # two words
	errors_arrived "$tmp/flows" $error "$1" "$2"
}
route_hops() {
	local n
	n=$(link_of "$2")
	case $3 in
	*:*) ip -n "$tag-$2" route "$1" "$3" via "fd00:0:0:$n::1" hoplimit 1 ;;
	*) ip -n "$tag-$2" route "$1" "$3" via "10.0.$n.1" hoplimit 1 ;;
	esac
}

# no_socket VIP FROM: nobody takes the answer.
no_socket() {
	local error="3 3"
	[[ $1 != *:* ]] || error="1 4"
	flows "$1" "$2" > "$tmp/flows"
	flows "$1" "$2" -d -m 200 > "$tmp/deaf"
	# shellcheck disable=SC2086 # two words
	errors_arrived "$tmp/flows" $error "$1" "$2"
}

# A connection whose way back is closed while it is being opened: the backend is told about its SYN-ACK.
about_tcp() {
	local error="3 13"
	[[ $1 != *:* ]] || error="1 1"
	router_route add prohibit "$2"
	refuses on client curl -s -m 1 --interface "$2" "$(http_url "$1")/"
	router_route del prohibit "$2"
	wait_until 5 grep -E "^$error .* > $1: $1 80 > $2 " "$tmp"/seen-b[12]
	equal 1 "$(grep -lE "^$error .* > $1: $1 80 > $2 " "$tmp"/seen-b[12] | wc -l)"
}

test_errors() {
	watch_errors b1
	watch_errors b2
	ok_mixes "administratively prohibited" counted icmp_error 12 refused_by_route prohibit 3 13 1 1
	ok_mixes "host unreachable" counted icmp_error 12 refused_by_route unreachable 3 1 1 3
	ok_mixes "time exceeded" counted icmp_error 12 hop_limit
	ok_mixes "port unreachable" counted icmp_error 12 no_socket
	ok_mixes "about a connection" counted icmp_error 1 about_tcp
}

# told_at_once ADDRESS [OPTIONS]: the balancer's own connection fails by the error, not by a timeout.
told_at_once() {
	local status=0
	on balancer curl -s --connect-timeout 10 "${@:2}" "$(http_url "$1")/" || status=$?
	equal 7 "$status"
}

# The router asks the address itself whether it is still there.
asked_and_answered() {
	local neighbour=(neigh replace "$1" lladdr "$(mac_of_balancer)" dev balancer)
	ip -n "$tag-router" "${neighbour[@]}" nud probe
	wait_until 10 reachable "$1" || { ip -n "$tag-router" neigh; return 1; }
}
mac_of_balancer() { ip -n "$tag-balancer" -j link show dev eth0 | json "s[0]['address']"; }
reachable() { ip -n "$tag-router" neigh show "$1" | grep REACHABLE; }

test_own() {
	local address
	router_route add prohibit 203.0.113.62
	router_route add prohibit fd00:0:0:c::3e
	ok "about the balancer's own connection, v4" told_at_once 203.0.113.62
	ok "about the balancer's own connection, v6" told_at_once fd00:0:0:c::3e
	ok "about its own connection from a VIP's address, v4" counted icmp_no_flow 1 \
		told_at_once 203.0.113.62 --interface $link4
	ok "about its own connection from a VIP's address, v6" counted icmp_no_flow 1 \
		told_at_once fd00:0:0:c::3e --interface $link6
	ok "a VIP on the link, v4" served_by "b1 b2" 20 $link4
	ok "a VIP on the link, v6" served_by "b1 b2" 20 $link6
	ok "a VIP on the link: its neighbours ask, v4" asked_and_answered $link4
	ok "a VIP on the link: its neighbours ask, v6" counted icmp 1 asked_and_answered $link6
	for address in $link4 $link6; do
		ok "a VIP on the link: ping $address" counted echo 5 pings "$address"
	done
}

# flood SOURCE VIP COUNT: how many are answered.
flood() {
	{ on client ping -q -n -c "$3" -i 0.002 -W 0.5 -I "$1" "$2" || true; } | sed -n 's/.* \([0-9]*\) received.*/\1/p'
}

# limited LEAST PER_SECOND COMMAND...: the numbers that it prints make together at least LEAST, and no more than the time that it
# took allows, and what several CPUs may give at once.
limited() {
	local least=$1 rate=$2 start=${EPOCHREALTIME/[.,]/} ms got
	shift 2
	got=$("$@" | awk '{ n += $1 } END { print n + 0 }')
	ms=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
	echo "$got answers in $ms ms"
	[ "$got" -ge "$least" ] && [ "$got" -le $((rate + rate * ms / 1000 + 5)) ]
}

# flood_from_many VIP: 10 each of 12 addresses.
flood_from_many() {
	local n
	for n in {41..52}; do
		flood "$(client_address "$1" "$n")" "$1" 10 &
	done
	wait
}

test_limits() {
	stop_controller
	write_config 'icmp: { echo_per_source: 5, echo_total: 20 }'
	ok "with small limits" start_controller
	ok "the limit of a source, v4" counted echo_limited 10 limited 5 5 flood 203.0.113.53 $vip4 50
	ok "the limit of a source, v6" counted echo_limited 10 limited 5 5 flood fd00:0:0:c::35 $vip6 50
	sleep 1.5
	ok "the limit of all, v4" limited 20 20 flood_from_many $vip4
	sleep 1.5
	ok "the limit of all, v6" limited 20 20 flood_from_many $vip6
	sleep 1.5
	ok "and then there are answers again" on client ping -q -n -c 1 -W 2 -I 203.0.113.53 $vip4
}

begin icmp
bring_up
test_echo
test_traces
test_errors
test_own
ok "no packet of all that under another verdict" \
	no_bad_verdicts echo echo_off icmp icmp_error icmp_no_flow no_service
test_limits
done_testing
