#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Real clients through the balancer: TCP and UDP, IPv4 and IPv6, tunnels of both families, every kind of service; and
# that the balancer's own traffic stays its own.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

write_config() {
	configure <<-END
		pools:
		  - { name: four, times: $quick, backends: [{ address: $(address4 b1) }, { address: $(address4 b2) }] }
		  - { name: six, times: $quick, backends: [{ address: "$(address6 b2)" }, { address: "$(address6 b3)" }] }
		  - { name: first, times: $quick, backends: [{ address: $(address4 b1) }] }
		  - { name: last, times: $quick, backends: [{ address: "$(address6 b3)" }] }
		vips:
		  - { name: four, addresses: [192.0.2.1, "2001:db8::1"], services: [80/tcp, 7/udp], pool: four }
		  - { name: six, addresses: [192.0.2.2, "2001:db8::2"], services: [80/tcp, 7/udp], pool: six }
		  - { name: ports, addresses: [192.0.2.3, "2001:db8::3"], services: [all/tcp, all/udp], pool: last }
		  - { name: port, addresses: [192.0.2.3, "2001:db8::3"], services: [8080/tcp, 7/udp], pool: first }
		  - { name: net, addresses: [198.51.100.0/24, "2001:db8:1::/64"], services: [80/tcp, all/udp], pool: six }
		  - { name: one, addresses: [198.51.100.5, "2001:db8:1::5"], services: [80/tcp], pool: first }
	END
}

bring_up() {
	local host
	make_network b1 b2 b3
	for host in b1 b2 b3; do
		open_tunnel "$host" 192.0.2.0/24 198.51.100.0/24 2001:db8::/64 2001:db8:1::/64
		start_nginx "$host" 80 8080 8081
		start_echo "$host" 7 7000
	done
	start_nginx balancer 8000
	write_config
	start_controller
}

# Each flow is a new one to its VIP, to one of its pool's backends, and each of its packets is counted at both.
counts_flows() {
	local before after
	before=$(new_flows four)
	fetch 40 http://192.0.2.1/ > /dev/null
	after=$(new_flows four)
	echo "$before, then $after"
	equal "$((${before% *} + 40)) $((${before#* } + 40))" "$after"
	stats | json "{name: sum(b['packets'] for b in s['backends'] if b['pool'] == name) -
		sum(v['packets'] for v in s['vips'] if v['pool'] == name) for name in ('four', 'six')}" > "$tmp/differences"
	equal "{'four': 0, 'six': 0}" "$(cat "$tmp/differences")"
}
new_flows() {
	stats | json "' '.join(str(sum(x['new_flows'] for x in s[kind] if x['pool'] == '$1')) for kind in ('vips', 'backends'))"
}

all_packets_counted() {
	stats | json "s['verdicts']['forwarded'] - sum(v['packets'] for v in s['vips'])" > "$tmp/difference"
	equal 0 "$(cat "$tmp/difference")"
}

stays_with_its_backend() {
	echoes 64 192.0.2.1 7 20000 > "$tmp/once"
	echoes 64 192.0.2.1 7 20000 > "$tmp/again"
	cat "$tmp/once"
	cmp "$tmp/once" "$tmp/again"
	equal "b1 b2" "$(answered_by < "$tmp/once")"
}

# counted_as VERDICT LEAST COMMAND...: unanswered, and under this verdict at least so often.
counted_as() {
	local name=$1 least=$2 before after
	shift 2
	before=$(verdict "$name")
	refuses "$@"
	after=$(verdict "$name")
	echo "$name: $before, then $after"
	[ $((after - before)) -ge "$least" ]
}

test_services() {
	local family n
	for family in 4 6; do
		n=192.0.2.
		[ $family = 4 ] || n=2001:db8::
		ok "TCP, v$family VIP, v4 backends" served_by "b1 b2" 60 ${n}1
		ok "UDP, v$family VIP, v4 backends" echoed_by "b1 b2" 100 ${n}1 7
		ok "TCP, v$family VIP, v6 backends" served_by "b2 b3" 60 ${n}2
		ok "UDP, v$family VIP, v6 backends" echoed_by "b2 b3" 100 ${n}2 7
		ok "TCP, v$family, all ports" served_by b3 10 ${n}3 8081
		ok "UDP, v$family, all ports" echoed_by b3 10 ${n}3 7000
		ok "TCP, v$family, a port before all ports" served_by b1 10 ${n}3 8080
		ok "UDP, v$family, a port before all ports" echoed_by b1 10 ${n}3 7
		n=198.51.100.
		[ $family = 4 ] || n=2001:db8:1::
		ok "TCP, v$family, a prefix" served_by "b2 b3" 60 ${n}77
		ok "UDP, v$family, a prefix, all ports" echoed_by "b2 b3" 100 ${n}99 7000
		ok "TCP, v$family, an address before its prefix" served_by b1 10 ${n}5
	done
}

test_transfers() {
	local vip
	head -c 5000000 /dev/urandom > "$tmp/files/blob"
	for vip in 192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2; do
		ok "download from $vip" download "$(http_url $vip)/files/blob"
		ok "upload to $vip" upload "$tmp/files/blob" "$(http_url $vip)/upload/"
	done
}

test_own_traffic() {
	local address
	for address in "$(address4 balancer)" "$(address6 balancer)"; do
		ok "the balancer's own service at $address" served_by balancer 20 "$address" 8000
		ok "ping to the balancer at $address" on client ping -q -c 5 -i 0.05 -W 1 "$address"
		ok "long pings in fragments to the balancer at $address" on client ping -q -c 3 -i 0.05 -W 1 -s 4000 "$address"
	done
	ok "IP options to the balancer" on client ping -q -c 3 -i 0.05 -W 1 -R "$(address4 balancer)"
}

test_not_served() {
	ok "a port without a service" counted_as no_service 1 on client curl -s -m 1 http://192.0.2.1:81/
	ok "a long ping in fragments to a VIP is the host's own" counted_as icmp 3 on client ping -q -c 1 -W 0.3 -s 4000 2001:db8::1
}

begin forward
bring_up
test_services
ok "a flow stays with its backend" stays_with_its_backend
ok "flows are counted" counts_flows
test_transfers
ok "no packet of all that under another verdict" no_bad_verdicts
ok "every forwarded packet is some VIP's" all_packets_counted
test_own_traffic
ok "the balancer's own traffic is under no verdict of a VIP" no_bad_verdicts
test_not_served
done_testing
