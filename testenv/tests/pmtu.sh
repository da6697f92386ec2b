#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Links that are too small: between client and balancer, where what a router says about it has to come to the backend; and between
# balancer and backends, where the balancer says it, or has its stack fragment. And the MSS that it sees to.
#
#   client -- 1500 -- edge -- varies -- router -- varies -- balancer
#                                         | 1600
#                                        b1, b2
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
large=3000000
small_mss=1300

write_config() {
	configure "$@" <<-END
		$(mixed_pools)
		$(mixed_vips_with)
		  - { name: cut, addresses: [192.0.2.3, "2001:db8::3"], services: [80/tcp, 7/udp], pool: four, oversize: fragment }
		  - { name: cut6, addresses: [192.0.2.4, "2001:db8::4"], services: [80/tcp, 7/udp], pool: six, oversize: fragment }
		  - { name: mss, addresses: [192.0.2.5, "2001:db8::5"], services: [80/tcp, 7/udp], pool: four, mss: $small_mss }
		  - { name: mss6, addresses: [192.0.2.6, "2001:db8::6"], services: [80/tcp, 7/udp], pool: six, mss: $small_mss }
	END
}

bring_up() {
	make_network_with_edge 1500 b1 b2
	add_client_addresses edge
	route_to router edge 203.0.113.0/24 fd00:0:0:c::/64
	serve_mixes
	write_config
	start_controller
	head -c $large /dev/urandom > "$tmp/files/large"
}

# link_mtu HOST DEVICE MTU: of both ends of the link between this router and the host's eth0.
link_mtu() {
	ip -n "$tag-$1" link set dev "$2" mtu "$3"
	ip -n "$tag-$2" link set dev eth0 mtu "$3"
}

# client_mtu_to VIP FROM: what the client has learnt.
client_mtu_to() { ip -n "$tag-client" route get "$1" from "$2" | sed -n 's/.* mtu \([0-9]*\).*/\1/p'; }

download_from() { download "$(http_url "$1")/files/large" --interface "$2"; }
upload_to() { upload "$tmp/files/large" "$(http_url "$1")/upload/" --interface "$2"; }

# download_through MTU VIP FROM: a backend is told.
download_through() {
	counted icmp_error 1 download_from "$2" "$3"
	for host in b1 b2; do
		ip -n "$tag-$host" route get "$3" from "$2"
	done > "$tmp/learnt"
	cat "$tmp/learnt"
	grep -E " mtu $1( |\$)" "$tmp/learnt"
}

# The link gets smaller while a download goes on.
shrinks() {
	begin_download "$1" large
	sleep 0.5
	link_mtu router edge 1280
	end_download large
	link_mtu router edge 1400
}

# Datagrams of the backend that are too big for the link: lost at first, and then in fragments.
answers_shrink() {
	echoes 4 "$1" 7 20000 -a "$2" -s 1440 -w 1
	equal "b1 b2" "$(echoes 12 "$1" 7 20000 -a "$2" -s 1440 -w 1 | answered_by)"
}

test_client_side() {
	local mtu
	for mtu in 1400 1280; do
		link_mtu router edge $mtu
		ok_mixes "download through a link of $mtu" download_through $mtu
		ok_mixes "upload through a link of $mtu" upload_to
	done
	link_mtu router edge 1400
	for vip in $vip4 $vip6; do
		ok "a link that shrinks under a download from $vip" counted icmp_error 1 shrinks "$vip"
	done
	link_mtu router edge 1500
}

# As status shows it.
next_hops_have() {
	equal "[$1]" "$(status | json "sorted({b['mtu'] for p in s['pools'] for b in p['backends']})")"
}

# told VIP FROM LINK: the client has learnt what is left of the link in a tunnel.
told() {
	local outer=20
	[[ $1 != *[2468] ]] || outer=40
	equal $(($3 - outer)) "$(client_mtu_to "$1" "$2")"
}

# upload_through MTU VIP FROM
upload_through() {
	counted too_big_answered 1 upload_to "$2" "$3"
	told "$2" "$3" "$1"
}

# datagrams_through MTU VIP FROM: full ones do not arrive until the client knows; then it sends fragments.
datagrams_through() {
	local size=1440
	counted too_big_answered 1 unanswered 1 "$2" "$3" -s "$size"
	told "$2" "$3" "$1"
	equal "b1 b2" "$(echoes 12 "$2" 7 20000 -a "$3" -s "$size" -w 1 | answered_by)"
}
# unanswered COUNT VIP FROM [OPTIONS]
unanswered() { equal - "$(echoes "$1" "$2" 7 20000 -a "$3" -m 500 "${@:4}" | answered_by)"; }

balancer_link_becomes() {
	link_mtu router balancer "$1"
	ip -n "$tag-client" route flush cache
	ip -n "$tag-client" -6 route flush cache
	wait_until 10 next_hops_have "$1" || { status; return 1; }
}

# The routes to b1 and b2 are smaller than the link.
routes_become() {
	local host
	for host in b1 b2; do
		ip -n "$tag-balancer" -b - <<-END
			route add $(address4 "$host") via 10.0.1.1 mtu $1
			route add $(address6 "$host") via fd00:0:0:1::1 mtu $1
		END
	done
	ip -n "$tag-client" route flush cache
	ip -n "$tag-client" -6 route flush cache
	wait_until 10 next_hops_have "$1" || { status; return 1; }
}
routes_are_as_before() {
	for host in b1 b2; do
		ip -n "$tag-balancer" -b - <<-END
			route del $(address4 $host)
			route del $(address6 $host)
		END
	done
}

test_tunnel_side() {
	ok "the balancer's link becomes one of 1500" balancer_link_becomes 1500
	ok_mixes "upload through tunnels of 1500" upload_through 1500
	ok_mixes "download through tunnels of 1500" download_from
	ok_mixes "datagrams through tunnels of 1500" datagrams_through 1500
	ok "routes become ones of 1440" routes_become 1440
	ok_mixes "upload through tunnels of 1440" upload_through 1440
	routes_are_as_before
	ok "and again of 1500" balancer_link_becomes 1500
	ok_mixes "upload through tunnels of 1500 again" upload_through 1500
}

# Of 30 datagrams that do not fit, in a moment, some are answered and some are not.
limited() {
	local answered
	answered=$(verdict too_big_answered)
	counted too_big 1 unanswered 30 "$1" "$2" -p -s 1440
	answered=$(($(verdict too_big_answered) - answered))
	echo "$answered answers"
	[ "$answered" -ge 3 ] && [ "$answered" -lt 30 ]
}

test_limits() {
	stop_controller
	write_config 'icmp: { too_big_per_source: 3 }'
	ok "with a small limit" start_controller
	ok_mixes "answers to what does not fit are limited" limited
	stop_controller
	write_config
	ok "without" start_controller
}

# What the balancer's stack has fragmented, tailrace decap leaves to the backend's.
open_fragmented() {
	local host
	forward_packets balancer
	for host in b1 b2; do
		spawn $host "$tmp/ipip-$host" "$top/build/testenv/open_ipip" tun0
		wait_until 5 grep ready "$tmp/ipip-$host"
	done
}
opened() { grep -c '^15' "$tmp/ipip-$1" || true; }

# oversize VIP FROM: datagrams without DF, each fragmented outside.
oversize() {
	local before
	before=$(($(opened b1) + $(opened b2)))
	equal "b1 b2" "$(echoes 16 "$1" 7 20000 -a "$2" -f -s 1460 | answered_by)"
	equal 16 $(($(opened b1) + $(opened b2) - before))
}

test_oversize() {
	open_fragmented
	ok "without DF: the stack fragments" counted oversize 16 oversize 192.0.2.3 203.0.113.60
	ok "with DF: answered" counted too_big_answered 1 unanswered 1 192.0.2.3 203.0.113.60 -p -s 1460
	ok "its connections learn" counted too_big_answered 1 upload_to 192.0.2.3 203.0.113.61
	ok "IPv6: answered" counted too_big_answered 1 upload_to 2001:db8::3 fd00:0:0:c::3d
	ok "to IPv6 backends: answered" counted too_big_answered 1 unanswered 1 192.0.2.4 203.0.113.60 -f -s 1460
	ok "where the VIP has not asked for it: answered" counted too_big_answered 1 unanswered 1 192.0.2.1 203.0.113.60 -f -s 1460
}

# mss_seen MSS VIP [MSS OF THE CLIENT'S ROUTE]: an upload arrives, and no packet of it was too big; its backend has seen this MSS.
mss_seen() {
	local before
	for host in b1 b2; do
		watch_packets "$host" "tcp[tcpflags] & tcp-syn != 0 or ip6[53] & 2 != 0"
	done
	before=$(verdict too_big_answered)
	upload "$tmp/files/large" "$(http_url "$2")/upload/" --interface "$3"
	equal "$before" "$(verdict too_big_answered)"
	wait_until 5 grep -h "> $2.80: Flags .S.*mss" "$tmp"/seen-b[12]
	equal "mss $1" "$(sed -n "s/.* > $2.80: Flags \[S\].*\(mss [0-9]*\).*/\1/p" "$tmp"/seen-b[12] | sort -u)"
}

test_mss() {
	local vip n=10
	for vip in 192.0.2.5 192.0.2.6 2001:db8::5 2001:db8::6; do
		n=$((n + 1))
		ok "a SYN's MSS becomes $small_mss, $vip" mss_seen $small_mss $vip "$(client_address $vip $n)"
	done
	for vip in 192.0.2.5 2001:db8::5; do
		n=$((n + 1))
		via=10.0.0.1
		[[ $vip != *:* ]] || via=fd00::1
		ip -n "$tag-client" route add $vip via $via advmss 1200
		ok "a smaller one stays, $vip" mss_seen 1200 $vip "$(client_address $vip $n)"
	done
}

begin pmtu
bring_up
test_client_side
ok "no packet of all that under another verdict" no_bad_verdicts icmp_error
test_tunnel_side
test_oversize
test_mss
test_limits
ok "no packet under another verdict" no_bad_verdicts icmp_error too_big_answered fragment oversize too_big
done_testing
