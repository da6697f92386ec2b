#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Next hops: the router's MAC address changes, a backend on the balancer's own link comes and goes, a route goes. The
# controller follows, and status says why a backend takes no flows.
#
#   b1 ------ router ------ switch (lan) ------ balancer
#                             |
#                             b4, b5: on the link
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# The router's end of the balancer's link becomes a switch's port, and the switch has the router's addresses.
make_switch() {
	ip -n "$tag-router" addr flush dev balancer
	ip -n "$tag-router" -b - <<-END
		link add lan mtu 1600 type bridge
		link set lan up
		link set balancer master lan
		addr add 10.0.1.1/24 dev lan
		addr add fd00:0:0:1::1/64 dev lan nodad
		route replace 192.0.2.0/24 via 10.0.1.2
		route replace 2001:db8::/32 via fd00:0:0:1::2
	END
	# So it announces a new MAC address, as a router does that takes over for another one.
	on router sysctl -q -w net.ipv4.conf.lan.arp_notify=1 net.ipv6.conf.lan.ndisc_notify=1
}

# add_on_link HOST
add_on_link() {
	local n=${1#b}
	make_namespace "$1"
	ip -n "$tag-router" link add "$1" mtu 1600 type veth peer name eth0 mtu 1600 netns "$tag-$1"
	ip -n "$tag-router" link set "$1" master lan up
	ip -n "$tag-$1" -b - <<-END
		addr add 10.0.1.$n/24 dev eth0
		addr add fd00:0:0:1::$n/64 dev eth0 nodad
		link set eth0 up
		route add default via 10.0.1.1
		route add default via fd00:0:0:1::1
	END
}

bring_up() {
	local host
	make_network b1
	make_switch
	add_on_link b4
	add_on_link b5
	# What has changed silently is noticed in seconds, not in a minute; by the balancer, and on the way back by backends.
	for host in balancer b4 b5; do
		on "$host" sysctl -q -w net.ipv4.neigh.eth0.base_reachable_time_ms=1000 \
			net.ipv6.neigh.eth0.base_reachable_time_ms=1000 \
			net.ipv4.neigh.eth0.delay_first_probe_time=1 net.ipv6.neigh.eth0.delay_first_probe_time=1
	done
	for host in b1 b4 b5; do
		open_tunnel "$host" "$vip4" "$vip6"
		start_echo "$host" 7
	done
	configure <<-END
		pools:
		  - name: all
		    times: $quick
		    backends: [{ address: $(address4 b1) }, { address: 10.0.1.4 }, { address: "fd00:0:0:1::5" }]
		vips:
		  - { name: echo, addresses: [$vip4, "$vip6"], services: [7/udp], pool: all }
	END
	start_controller
}

# next_hop ADDRESS: "STATE TAKES_FLOWS"
next_hop() {
	status | json "' '.join(f\"{b['nexthop']} {b['takes_flows']}\" for p in s['pools'] for b in p['backends']
		if b['address'] == '$1')"
}
next_hop_is() { equal "$2" "$(next_hop "$1")"; }

# becomes ADDRESS STATE SECONDS
becomes() { wait_until "$3" next_hop_is "$1" "$2" || { status | json s; return 1; }; }

answer() { echoed_by "$1" 60 "$vip4" 7 && echoed_by "$1" 60 "$vip6" 7; }
all_answer() { answer "b1 b4 b5"; }
all_answer_again() { wait_settled && all_answer; }

# mac_changes ADDRESS SECONDS
mac_changes() {
	ip -n "$tag-router" link set dev lan address "$1"
	wait_until "$2" all_answer || all_answer_again
}

# Nobody announces anything: the balancer's own kernel has to notice, since the controller keeps asking it.
mac_changes_silently() {
	on router sysctl -q -w net.ipv4.conf.lan.arp_notify=0 net.ipv6.conf.lan.ndisc_notify=0
	mac_changes 02:00:00:00:00:78 20
}

test_router() {
	ok "all next hops are known" all_answer
	ok "the router's MAC address changes" mac_changes 02:00:00:00:00:77 3
	ok "the router's MAC address changes, unannounced" mac_changes_silently
}

# gone_and_back HOST ADDRESS "THE OTHERS"
gone_and_back() {
	ip -n "$tag-$1" link set dev eth0 down
	becomes "$2" "no answer False" 20
	answer "$3"
	ip -n "$tag-$1" -b - <<-END
		link set eth0 up
		route replace default via 10.0.1.1
		addr replace fd00:0:0:1::${1#b}/64 dev eth0 nodad
		route replace default via fd00:0:0:1::1
	END
	becomes "$2" "ok True" 20
	all_answer_again
}

# route_changes STATE ROUTE...: while the balancer has this route to b1, b1 is in this state.
route_changes() {
	local state=$1
	shift
	ip -n "$tag-balancer" route add "$@"
	becomes "$(address4 b1)" "$state False" 5
	answer "b4 b5"
	ip -n "$tag-balancer" route del "$@"
	becomes "$(address4 b1)" "ok True" 5
	all_answer_again
}

status_says_why() { on balancer "$tailrace" status -i "$tag" | grep -E "$1"; }

begin neighbour
bring_up
test_router
ok "an IPv4 backend on the link is gone, and comes back" gone_and_back b4 10.0.1.4 "b1 b5"
ok "an IPv6 backend on the link is gone, and comes back" gone_and_back b5 fd00:0:0:1::5 "b1 b4"
ok "a backend's route is gone, and comes back" route_changes 'no route' unreachable "$(address4 b1)"
ok "a backend's route leaves by another device" route_changes 'other device' "$(address4 b1)" dev lo
ip -n "$tag-balancer" route add unreachable "$(address4 b1)"
ok "status tells a reader, too" wait_until 5 status_says_why "$(address4 b1).*no route"
ok "no packet under another verdict" no_bad_verdicts
done_testing
