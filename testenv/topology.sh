# shellcheck shell=bash disable=SC2034,SC2154 # lib.sh and the scripts have the other half
# SPDX-License-Identifier: GPL-2.0-only
# The network: namespaces, one for each host, on the router's links. Sourced by lib.sh, which sets tag, tmp, top and testenv.
#
#             client
#               | 1500
#             router ---- 1600 ---- balancer
#        1600 /  |  \
#           b1  b2  b3
#
# With a second router before the client, or one between balancer and backends: make_network_with_edge, make_two_armed_network.
#
# Link N: 10.0.N.0/24 and fd00:0:0:N::/64, the router has 1, the host has 2. VIPs are of the documentation prefixes; the
# router sends them to the balancer.
# Hosts are entered with nsenter: `ip netns exec` would mount a /sys of its own, without the pins.

vip4=192.0.2.1
vip6=2001:db8::1
# What make_network gives links.
client_mtu=1500
balancer_mtu=1600
backend_mtu=1600
vip_routes=(192.0.2.0/24 198.51.100.0/24 2001:db8::/32)

# namespaces TAG: those that exist.
namespaces() {
	ip netns list | awk -v prefix="$1-" 'index($1, prefix) == 1 { print $1 }'
}

# on HOST COMMAND...
on() {
	local host=$1
	shift
	nsenter --net="/run/netns/$tag-$host" "$@"
}

# spawn HOST LOG COMMAND...: in the background, away from the terminal's Ctrl-C; its pid is $spawned.
spawn() {
	local host=$1 log=$2
	shift 2
	: > "$log"
	setsid nsenter --net="/run/netns/$tag-$host" "$@" >> "$log" 2>&1 < /dev/null &
	spawned=$!
	disown
}

# The link's number. Backend bN has 10 + N.
link_of() {
	case $1 in
	client) echo 0 ;;
	balancer) echo 1 ;;
	edge) echo 2 ;;
	inner) echo 4 ;;
	b*) echo $((10 + ${1#b})) ;;
	esac
}
address4() { echo "10.0.$(link_of "$1").2"; }
address6() { echo "fd00:0:0:$(link_of "$1")::2"; }

make_namespace() {
	ip netns add "$tag-$1"
	# A reply leaves by another link than its VIP is routed to, and a tunnel's source is nobody's address: no reverse path
	# filter. Addresses are ready at once without duplicate address detection. ICMP errors come as often as they are due.
	on "$1" sysctl -q -e -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
		net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
		net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0 \
		net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
	ip -n "$tag-$1" link set lo up
}

make_router() {
	make_namespace "$1"
	forward_packets "$1"
}
forward_packets() { on "$1" sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; }

# add_link A DEVICE B DEVICE MTU N: link N between two hosts; A has 1, B has 2.
add_link() {
	ip -n "$tag-$1" link add "$2" mtu "$5" type veth peer name "$4" mtu "$5" netns "$tag-$3"
	set_up_end "$1" "$2" "$6" 1
	set_up_end "$3" "$4" "$6" 2
}
set_up_end() {
	ip -n "$tag-$1" -b - <<-END
		addr add 10.0.$3.$4/24 dev $2
		addr add fd00:0:0:$3::$4/64 dev $2 nodad
		link set $2 up
	END
}

# route_by HOST GATEWAY4 GATEWAY6 PREFIX...
route_by() {
	local host=$1 prefix
	for prefix in "${@:4}"; do
		case $prefix in
		*:*) ip -n "$tag-$host" route add "$prefix" via "$3" ;;
		*) ip -n "$tag-$host" route add "$prefix" via "$2" ;;
		esac
	done
}
# route_to HOST GATEWAY PREFIX...: GATEWAY is the host at the other end of its link.
route_to() { route_by "$1" "$(address4 "$2")" "$(address6 "$2")" "${@:3}"; }
default_route=(0.0.0.0/0 ::/0)

# add_host NAME MTU [ROUTER]: a namespace with eth0, on the router's link of the same name.
add_host() {
	local n
	n=$(link_of "$1")
	make_namespace "$1"
	add_link "${3:-router}" "$1" "$1" eth0 "$2" "$n"
	route_by "$1" "10.0.$n.1" "fd00:0:0:$n::1" "${default_route[@]}"
}

# take_xdp_frames HOST DEVICE MTU: what the other end of a veth sends with XDP_TX or XDP_REDIRECT arrives only where this end
# has an XDP program, too.
take_xdp_frames() {
	local section=xdp
	[ "$3" -le 3400 ] || section=xdp.frags
	ip -n "$tag-$1" link set dev "$2" xdp obj "$top/build/testenv/xdp_pass.bpf.o" sec $section
	on "$1" ethtool -K "$2" gro off > /dev/null 2>&1
}

# Partial checksums and merged packets do not survive it: what hosts send through the balancer is to be whole.
send_whole_packets() { on "$1" ethtool -K eth0 tx off > /dev/null 2>&1; }

# make_network BACKENDS...: the hosts, with routes to the VIPs by way of the balancer.
make_network() {
	local host
	make_router router
	add_host client "$client_mtu"
	add_host balancer "$balancer_mtu"
	for host; do
		add_host "$host" "$backend_mtu"
	done
	finish_network
}

finish_network() {
	route_to router balancer "${vip_routes[@]}"
	prepare_for_xdp_tx
}

prepare_for_xdp_tx() {
	take_xdp_frames router balancer "$balancer_mtu"
	send_whole_packets client
}

# make_network_with_edge MTU BACKENDS...: the client's link ends at a router of its own, whose link to the other router (edge, in
# both of their namespaces: eth0 and edge) has this MTU.
#
#   client ---- edge -- MTU -- router ...
make_network_with_edge() {
	local host
	make_router router
	make_router edge
	add_link router edge edge eth0 "$1" "$(link_of edge)"
	route_by edge 10.0.2.1 fd00:0:0:2::1 "${default_route[@]}"
	add_host client "$client_mtu" edge
	route_to router edge 10.0.0.0/24 fd00::/64
	add_host balancer "$balancer_mtu"
	for host in "${@:2}"; do
		add_host "$host" "$backend_mtu"
	done
	finish_network
}

# make_two_armed_network BACKENDS...: they have a router of their own, on the balancer's other arm. Answers do not pass the
# balancer.
#
#   client ---- router ---- eth0 balancer eth1 ---- inner ---- b1, b2, ...
#                 \----------------------------------/
make_two_armed_network() {
	local host
	make_router router
	make_router inner
	add_link router inner inner eth0 "$backend_mtu" "$(link_of inner)"
	route_by inner 10.0.4.1 fd00:0:0:4::1 "${default_route[@]}"
	add_host client "$client_mtu"
	add_host balancer "$balancer_mtu"
	add_link inner balancer balancer eth1 "$balancer_mtu" 3
	for host; do
		add_host "$host" "$backend_mtu" inner
		route_to router inner "10.0.$(link_of "$host").0/24" "fd00:0:0:$(link_of "$host")::/64"
		route_by balancer 10.0.3.1 fd00:0:0:3::1 "10.0.$(link_of "$host").0/24" "fd00:0:0:$(link_of "$host")::/64"
	done
	take_xdp_frames inner balancer "$balancer_mtu"
	finish_network
}

# add_client_addresses: the client has 203.0.113.1 to .62 and fd00:0:0:c::1 to ::3e besides its own, for senders that are told
# apart, and for routes to one of them.
client_addresses=({1..62})
add_client_addresses() {
	local n at=${1:-router}
	for n in "${client_addresses[@]}"; do
		echo "addr add 203.0.113.$n/32 dev lo"
		printf 'addr add fd00:0:0:c::%x/128 dev lo nodad\n' "$n"
	done | ip -n "$tag-client" -b -
	route_to "$at" client 203.0.113.0/24 fd00:0:0:c::/64
}

# serve_vip HOST ADDRESS|PREFIX...: the host takes them for its own.
serve_vip() {
	local host=$1 vip
	shift
	for vip; do
		case $vip in
		*/*) ip -n "$tag-$host" route add local "$vip" dev lo ;;
		*:*) ip -n "$tag-$host" addr add "$vip/128" dev lo nodad ;;
		*) ip -n "$tag-$host" addr add "$vip/32" dev lo ;;
		esac
	done
}

# open_tunnel HOST VIP...: the VIPs on the loopback, and the tunnel opened for them.
open_tunnel() {
	local host=$1
	shift
	serve_vip "$host" "$@"
	on "$host" "$tailrace" decap eth0 --pin "$pins/$tag-$host" --vip "$@" > "$tmp/decap-$host.log" 2>&1 ||
		{ cat "$tmp/decap-$host.log" >&2; die "tailrace decap on $host failed"; }
}
