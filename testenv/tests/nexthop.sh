#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Next hops are learnt from the kernel and followed (control/nexthop.h): testenv/nexthop_probe prints what it learns
# while the routes, neighbours and devices of its network namespace change.
#
#   balancer d0 10.0.0.1 fd00::1 ---- p0 peer: 10.0.0.2, 10.0.0.3, fd00::2, fe80::2 (gateways), 10.0.0.10 to 12
#            d1 10.1.0.1         ---- p1 peer: gateway 10.1.0.2
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
probe=${NEXTHOP_PROBE:-$top/build/testenv/nexthop_probe}
balancer=trnh$$-b
peer=trnh$$-p
tmp=$(mktemp -d)
mac0=02:00:00:00:00:01
mac1=02:00:00:00:01:01
peer_mac=02:00:00:00:00:02
peer_mac1=02:00:00:00:01:02
permanent=02:00:00:00:00:98
tests=0
failed=0
declare -A pids=()

cleanup() {
	local pid
	for pid in "${pids[@]}"; do
		kill -CONT "$pid" 2> /dev/null || true
		kill -TERM "$pid" 2> /dev/null || true
		wait "$pid" 2> /dev/null || true
	done
	ip netns del "$balancer" 2> /dev/null || true
	ip netns del "$peer" 2> /dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

on_balancer() { nsenter --net="/run/netns/$balancer" "$@"; }
on_peer() { nsenter --net="/run/netns/$peer" "$@"; }
balancer_ip() { ip -n "$balancer" "$@"; }
peer_ip() { ip -n "$peer" "$@"; }

# ok NAME COMMAND...
ok() {
	local name=$1
	shift
	tests=$((tests + 1))
	if "$@" > "$tmp/why" 2>&1; then
		echo "ok $tests - nexthop: $name"
	else
		failed=$((failed + 1))
		echo "not ok $tests - nexthop: $name"
		sed 's/^/# /' "$tmp/why"
	fi
}

refuses() { ! "$@"; }

# start NAME DEVICE ADDRESS...: a probe that writes to $tmp/NAME.
start() {
	local name=$1
	shift
	# Not by a function: $! would be a shell.
	nsenter --net="/run/netns/$balancer" "$probe" 60 "$@" > "$tmp/$name" &
	pids[$name]=$!
}

# stop NAME: as a controller that is killed would; nothing is put back.
stop() {
	kill "${pids[$1]}"
	wait "${pids[$1]}" || true
	unset "pids[$1]"
}

# last NAME ADDRESS: what the probe said of it last, without the address.
last() { awk -v address="$2" '$1 == address { $1 = ""; line = substr($0, 2) } END { print line }' "$tmp/$1"; }

# becomes ADDRESS PATTERN [SECONDS [NAME]]: within SECONDS (3) the last line of probe NAME (main) is like this.
becomes() {
	local end=$((SECONDS + ${3:-3} + 1)) line
	while :; do
		line=$(last "${4:-main}" "$1")
		# shellcheck disable=SC2053 # a pattern
		[[ $line != $2 ]] || return 0
		[ $SECONDS -lt $end ] || break
		sleep 0.05
	done
	echo "$1: '$line', not like '$2'; before:"
	grep "^$1 " "$tmp/${4:-main}" | tail -n 6
	return 1
}

# shows PATTERN COMMAND...: within 3 s the command prints a line like this.
shows() {
	local end=$((SECONDS + 4)) pattern=$1
	shift
	until "$@" > "$tmp/shown" && grep -q -- "$pattern" "$tmp/shown"; do
		if [ $SECONDS -ge $end ]; then
			echo "no '$pattern' in:"
			cat "$tmp/shown"
			return 1
		fi
		sleep 0.05
	done
}

make_network() {
	ip netns add "$balancer"
	ip netns add "$peer"
	for on in on_balancer on_peer; do
		$on sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.dad_transmits=0
	done
	balancer_ip -b - <<-END
		link add d0 address $mac0 type veth peer name p0 address $peer_mac netns $peer
		link add d1 address $mac1 type veth peer name p1 address $peer_mac1 netns $peer
		link set lo up
		link set d0 up
		link set d1 up
		addr add 10.0.0.1/24 dev d0
		addr add fd00::1/64 dev d0 nodad
		addr add 10.1.0.1/24 dev d1
	END
	peer_ip -b - <<-END
		link set lo up
		link set p0 up
		link set p1 up
		addr add 10.0.0.2/24 dev p0
		addr add 10.0.0.3/24 dev p0
		addr add 10.0.0.10/24 dev p0
		addr add 10.0.0.11/24 dev p0
		addr add 10.0.0.12/24 dev p0
		addr add 198.51.100.2/32 dev p0
		addr add fd00::2/64 dev p0 nodad
		addr add fd00::10/64 dev p0 nodad
		addr add fe80::2/64 dev p0 nodad
		addr add 10.1.0.2/24 dev p1
	END
	# Neighbours age in seconds.
	for neigh in net.ipv4.neigh net.ipv6.neigh; do
		on_balancer sysctl -qw $neigh.d0.base_reachable_time_ms=1000 $neigh.d0.delay_first_probe_time=1 \
			$neigh.d0.gc_stale_time=1 $neigh.d0.retrans_time_ms=200
	done
	on_balancer sysctl -qw net.ipv4.neigh.d0.locktime=0
}

make_routes() {
	balancer_ip -b - <<-END
		nexthop add id 4 via 10.0.0.2 dev d0
		nexthop add id 6 via fd00::2 dev d0
		route add 10.20.0.0/24 via 10.0.0.2
		route add 10.20.1.0/24 via 10.0.0.2 mtu 1400
		route add fd20::/64 via fd00::2
		route add fd21::/64 via fe80::2 dev d0
		route add 10.21.0.0/24 via inet6 fe80::2 dev d0
		route add 10.22.0.0/24 nexthop via 10.0.0.2 nexthop via 10.0.0.3
		route add 10.23.0.0/24 nexthop via 10.1.0.2 nexthop via 10.0.0.2
		route add fd23::/64 nexthop via fd00::3 dev d0 nexthop via fd00::2 dev d0
		route add 10.24.0.0/24 nhid 4
		route add fd24::/64 nhid 6
		route add 10.25.0.0/24 via 10.1.0.2
		route add blackhole 10.26.0.0/24
		route add unreachable fd26::/64
		route add 10.27.0.0/24 via 198.51.100.2 dev d0 onlink
		route add 10.28.0.0/24 nexthop via 10.0.0.97 nexthop via 10.0.0.2
		neigh add 10.0.0.98 dev d0 lladdr $permanent nud permanent
	END
}

test_first() {
	ok "settles" shows "^settled [0-9]* Success" cat "$tmp/main"
	ok "IPv4 on the link" becomes 10.0.0.10 "$via0 10.0.0.10"
	ok "IPv6 on the link" becomes fd00::10 "$via0 fd00::10"
	ok "IPv4 gateway" becomes 10.20.0.1 "$via0 10.0.0.2"
	ok "IPv6 gateway" becomes fd20::1 "$via0 fd00::2"
	ok "a route's MTU" becomes 10.20.1.1 "ok $if0 1400 $peer_mac $mac0 10.0.0.2"
	ok "link-local IPv6 gateway" becomes fd21::1 "$via0 fe80::2"
	ok "IPv4 route with an IPv6 gateway" becomes 10.21.0.1 "$via0 fe80::2"
	ok "multipath: the first of two" becomes 10.22.0.2 "$via0 10.0.0.2"
	ok "multipath: the second of two" becomes 10.22.0.1 "$via0 10.0.0.3"
	ok "multipath: a leg through another device is passed over" becomes 10.23.0.1 "$via0 10.0.0.2"
	ok "multipath: whatever the address" becomes 10.23.0.2 "$via0 10.0.0.2"
	ok "multipath: IPv6, a gateway that does not answer is passed over" becomes fd23::1 "$via0 fd00::2"
	ok "multipath: IPv6, whatever the address" becomes fd23::2 "$via0 fd00::2"
	ok "multipath: a gateway that does not answer is passed over" becomes 10.28.0.1 "$via0 10.0.0.2"
	ok "multipath: IPv4, whatever the address" becomes 10.28.0.2 "$via0 10.0.0.2"
	ok "nexthop object, IPv4" becomes 10.24.0.1 "$via0 10.0.0.2"
	ok "nexthop object, IPv6" becomes fd24::1 "$via0 fd00::2"
	ok "another device" becomes 10.25.0.1 "other_device $if1 *"
	ok "own address, IPv4" becomes 10.0.0.1 "local_address 0 *"
	ok "own address, IPv6" becomes fd00::1 "local_address 0 *"
	ok "no route" becomes 192.0.2.1 "no_route 0 *"
	ok "blackhole" becomes 10.26.0.1 "no_route 0 *"
	ok "unreachable, IPv6" becomes fd26::1 "no_route 0 *"
	ok "broadcast address" becomes 10.0.0.255 "no_route 0 *"
	ok "onlink gateway" becomes 10.27.0.1 "$via0 198.51.100.2"
	ok "no answer" becomes 10.0.0.99 "no_answer $if0 *"
	ok "a permanent neighbour" becomes 10.0.0.98 "ok $if0 1500 $permanent $mac0 10.0.0.98"
	ok "a permanent neighbour stays permanent" shows "$permanent PERMANENT" balancer_ip neigh show 10.0.0.98
	ok "the kernel keeps a neighbour" shows managed balancer_ip neigh show 10.0.0.2
	ok "unwatched from within the callback" [ "$(grep -c '^10.0.0.11 ok ' "$tmp/main")" = 1 ]
}

test_routes() {
	balancer_ip route add 192.0.2.0/24 via 10.0.0.2
	ok "a route appears" becomes 192.0.2.1 "$via0 10.0.0.2"
	balancer_ip route replace 192.0.2.0/24 via 10.0.0.3
	ok "a route changes its gateway" becomes 192.0.2.1 "$via0 10.0.0.3"
	balancer_ip route replace 192.0.2.0/24 via 10.0.0.3 mtu 1280
	ok "a route changes its MTU" becomes 192.0.2.1 "ok $if0 1280 *"
	balancer_ip route add 192.0.2.1/32 via 10.1.0.2
	ok "a longer prefix moves it to another device" becomes 192.0.2.1 "other_device $if1 *"
	balancer_ip route del 192.0.2.1/32
	ok "and back" becomes 192.0.2.1 "ok $if0 1280 *"
	balancer_ip route del 192.0.2.0/24
	ok "a route disappears" becomes 192.0.2.1 "no_route 0 *"
	balancer_ip route add default via 10.0.0.2
	ok "the default route serves" becomes 192.0.2.1 "$via0 10.0.0.2"
	balancer_ip route add default via fd00::2
	ok "the default route serves, IPv6" becomes 2001:db8::1 "$via0 fd00::2"
	balancer_ip nexthop replace id 4 via 10.0.0.3 dev d0
	ok "a nexthop object changes" becomes 10.24.0.1 "$via0 10.0.0.3"
	on_balancer sysctl -qw net.ipv4.nexthop_compat_mode=0
	balancer_ip nexthop replace id 4 via 10.0.0.2 dev d0
	ok "a nexthop object without compatibility" becomes 10.24.0.1 "$via0 10.0.0.2"
	balancer_ip rule add to 10.20.0.0/24 unreachable
	ok "a rule forbids it" becomes 10.20.0.1 "no_route 0 *"
	balancer_ip rule del to 10.20.0.0/24 unreachable
	ok "the rule goes" becomes 10.20.0.1 "$via0 10.0.0.2"
	balancer_ip addr add 10.20.0.1/32 dev lo
	ok "the address becomes our own" becomes 10.20.0.1 "local_address 0 *"
	balancer_ip addr del 10.20.0.1/32 dev lo
	ok "and is given away" becomes 10.20.0.1 "$via0 10.0.0.2"
}

# Entries that are garbage to the kernel, and some seconds of ageing: whoever answers stays as it is.
test_keeping() {
	local before
	before=$(wc -l < "$tmp/main")
	balancer_ip neigh flush dev d0
	ok "a flushed neighbour is asked for again" shows "lladdr $peer_mac managed" balancer_ip neigh show 10.0.0.2
	sleep 6
	ok "who answers does not flap" refuses grep -vE ' (no_answer|resolving) ' \
		<(tail -n "+$((before + 1))" "$tmp/main")
}

# announce FROM TO: the peer asks for TO's address, and so says its own.
announce() {
	peer_ip neigh flush dev p0
	on_peer ping -qc 1 -W 1 -I "$1" "$2" > /dev/null || true
}

test_neighbours() {
	peer_ip addr del 10.0.0.10/24 dev p0
	ok "a neighbour falls silent" becomes 10.0.0.10 "no_answer $if0 1500 $peer_mac *" 9
	peer_ip addr add 10.0.0.10/24 dev p0
	ok "and answers again" becomes 10.0.0.10 "$via0 10.0.0.10" 5
	peer_mac=02:00:00:00:00:22
	peer_ip link set p0 address $peer_mac
	announce 10.0.0.2 10.0.0.1
	announce 10.0.0.3 10.0.0.1
	announce fd00::2 fd00::1
	via0="ok $if0 1500 $peer_mac $mac0"
	ok "a gateway's MAC address changes" becomes 10.20.0.1 "$via0 10.0.0.2"
	ok "a gateway's MAC address changes, IPv6" becomes fd20::1 "$via0 fd00::2"
	ok "of a neighbour that says nothing, too" becomes 10.0.0.12 "$via0 10.0.0.12" 9
	balancer_ip neigh replace 10.0.0.98 dev d0 lladdr ${permanent/98/97} nud permanent
	ok "a permanent neighbour's changes" becomes 10.0.0.98 "ok $if0 1500 ${permanent/98/97} *"
}

# More events than the socket holds while nobody reads, and a change among those that are lost.
test_overrun() {
	kill -STOP "${pids[main]}"
	for i in $(seq 0 249); do
		printf "route add 10.100.$i.%d/32 dev d1\n" $(seq 0 79)
	done > "$tmp/batch"
	balancer_ip -b "$tmp/batch"
	balancer_ip route replace 10.20.0.0/24 via 10.0.0.3
	balancer_ip link set d0 mtu 1450
	balancer_ip neigh replace 10.0.0.98 dev d0 lladdr $permanent nud permanent
	# shellcheck disable=SC2016 # awk's
	ok "events are lost" on_balancer awk '{ print } NR > 1 && $9 > 0 { n = 1 } END { exit !n }' /proc/net/netlink
	kill -CONT "${pids[main]}"
	ok "after lost events: route" becomes 10.20.0.1 "ok $if0 1450 $peer_mac $mac0 10.0.0.3"
	ok "after lost events: link" becomes 10.20.1.1 "ok $if0 1400 *"
	ok "after lost events: neighbour" becomes 10.0.0.98 "ok $if0 1450 $permanent *"
}

test_device() {
	balancer_ip link set d0 mtu 1300
	ok "the device's MTU" becomes 10.20.0.1 "ok $if0 1300 *"
	ok "the device's MTU below the route's" becomes 10.20.1.1 "ok $if0 1300 *"
	balancer_ip link set d0 mtu 1500
	ok "the device's MTU above the route's" becomes 10.20.1.1 "ok $if0 1400 *"
	mac0=02:00:00:00:00:11
	balancer_ip link set d0 address $mac0
	ok "the device's MAC address" becomes 10.20.0.1 "ok $if0 1500 $peer_mac $mac0 *"
	peer_ip link set p0 down
	ok "no carrier" becomes 10.20.0.1 "no_route 0 *"
	ok "no carrier, IPv6" becomes fd20::1 "no_route 0 *"
	peer_ip link set p0 up
	ok "carrier" becomes 10.20.0.1 "ok $if0 1500 $peer_mac $mac0 10.0.0.3"
	balancer_ip link set d0 down
	ok "the device is down" becomes 10.0.0.12 "no_route 0 *"
	balancer_ip link set d0 up
	ok "the device is up" becomes 10.0.0.12 "ok $if0 1500 $peer_mac $mac0 10.0.0.12"
}

# Without a device of one's own every device will do, as for `tailrace load`.
test_any_device() {
	start any any 10.25.0.1 10.23.0.1 10.23.0.2
	ok "any device: another one" becomes 10.25.0.1 "ok $if1 1500 $peer_mac1 $mac1 10.1.0.2" 3 any
	ok "any device: one leg of a multipath route" becomes 10.23.0.2 "ok $if1 * 10.1.0.2" 3 any
	ok "any device: its other leg" becomes 10.23.0.1 "ok $if0 * 10.0.0.2" 3 any
	balancer_ip link set d1 down
	ok "any device: a dead leg is passed over" becomes 10.23.0.2 "ok $if0 * 10.0.0.2" 3 any
	balancer_ip link set d1 up
	ok "any device: a leg revives" becomes 10.23.0.2 "ok $if1 * 10.1.0.2" 3 any
	stop any
}

# Many backends behind one gateway; a probe that ends takes back only what it had asked of the kernel.
test_ending() {
	local ms
	balancer_ip route add 10.128.0.0/9 via 10.0.0.2
	balancer_ip neigh flush all
	on_balancer "$probe" 2 d0 10.128.0.0+10000 > "$tmp/many"
	ms=$(awk '/^settled/ { print $2 }' "$tmp/many")
	ok "10,000 backends: each has its next hop" [ "$(grep -c '^10.12[89].* ok ' "$tmp/many")" = 10000 ]
	ok "10,000 backends: in less than a second ($ms ms)" [ "$ms" -lt 1000 ]
	ok "ending: the gateway is no longer kept" refuses grep managed <(balancer_ip neigh show 10.0.0.2)
	balancer_ip neigh replace 10.0.0.96 dev d0 managed
	on_balancer "$probe" 1 d0 10.0.0.96 > "$tmp/managed"
	ok "ending: what an operator has the kernel keep is kept" shows managed balancer_ip neigh show 10.0.0.96
}

make_network
make_routes
if0=$(balancer_ip -o link show d0 | cut -d: -f1)
if1=$(balancer_ip -o link show d1 | cut -d: -f1)
via0="ok $if0 1500 $peer_mac $mac0"
start main d0 10.0.0.10 10.0.0.12 fd00::10 10.20.0.1 10.20.1.1 fd20::1 fd21::1 10.21.0.1 10.22.0.1 10.22.0.2 \
	10.23.0.1 10.23.0.2 fd23::1 fd23::2 10.24.0.1 fd24::1 10.25.0.1 10.0.0.1 fd00::1 192.0.2.1 10.26.0.1 fd26::1 \
	10.0.0.255 10.27.0.1 10.28.0.1 10.28.0.2 10.0.0.99 10.0.0.98 2001:db8::1 -10.0.0.11
test_first
test_any_device
test_routes
test_keeping
test_neighbours
test_overrun
test_device
stop main
test_ending
echo "1..$tests"
[ "$failed" = 0 ]
