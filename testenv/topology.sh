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
# Link N: 10.0.N.0/24 and fd00:0:0:N::/64, the router has 1, the host has 2. VIPs are of the documentation prefixes; the
# router sends them to the balancer.
# Hosts are entered with nsenter: `ip netns exec` would mount a /sys of its own, without the pins.

vip4=192.0.2.1
vip6=2001:db8::1
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
	b*) echo $((10 + ${1#b})) ;;
	esac
}
address4() { echo "10.0.$(link_of "$1").2"; }
address6() { echo "fd00:0:0:$(link_of "$1")::2"; }

make_namespace() {
	ip netns add "$tag-$1"
	# A reply leaves by another link than its VIP is routed to, and a tunnel's source is nobody's address: no reverse path
	# filter. Addresses are ready at once without duplicate address detection.
	on "$1" sysctl -q -e -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
		net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
		net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0
	ip -n "$tag-$1" link set lo up
}

make_router() {
	make_namespace router
	on router sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# add_host NAME MTU: a namespace with eth0, on the router's link of the same name.
add_host() {
	local n
	n=$(link_of "$1")
	make_namespace "$1"
	ip -n "$tag-router" link add "$1" mtu "$2" type veth peer name eth0 mtu "$2" netns "$tag-$1"
	ip -n "$tag-router" -b - <<-END
		addr add 10.0.$n.1/24 dev $1
		addr add fd00:0:0:$n::1/64 dev $1 nodad
		link set $1 up
	END
	ip -n "$tag-$1" -b - <<-END
		addr add 10.0.$n.2/24 dev eth0
		addr add fd00:0:0:$n::2/64 dev eth0 nodad
		link set eth0 up
		route add default via 10.0.$n.1
		route add default via fd00:0:0:$n::1
	END
}

# XDP_TX on a veth: the other end needs an XDP program, and what is sent needs whole checksums and no merging.
prepare_for_xdp_tx() {
	ip -n "$tag-router" link set dev balancer xdp obj "$top/build/testenv/xdp_pass.bpf.o" sec xdp
	on router ethtool -K balancer gro off > /dev/null 2>&1
	on client ethtool -K eth0 tx off > /dev/null 2>&1
}

# make_network BACKENDS...: the hosts, with routes to the VIPs by way of the balancer.
make_network() {
	local host prefix
	make_router
	add_host client 1500
	add_host balancer 1600
	for host; do
		add_host "$host" 1600
	done
	for prefix in "${vip_routes[@]}"; do
		case $prefix in
		*:*) ip -n "$tag-router" route add "$prefix" via "$(address6 balancer)" ;;
		*) ip -n "$tag-router" route add "$prefix" via "$(address4 balancer)" ;;
		esac
	done
	prepare_for_xdp_tx
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
