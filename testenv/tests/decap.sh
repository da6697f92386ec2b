#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The backend's side with real traffic: a client whose own device encapsulates (testenv/encap.bpf.c) sends through
# each of the four tunnels to a backend that runs `tailrace decap`, natively, generic and at tc ingress; then its
# lists, its manners towards other programs, the operator's own ways to attach, and leaving nothing behind.
#
#   client 10.0.0.1 fd00::1 ---- veth ---- backend 10.0.0.2 fd00::2, VIPs on lo
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
tailrace=${TAILRACE:-$top/build/tailrace}
client=trdc$$-c
backend=trdc$$-b
dev=trdc$$
pins=/sys/fs/bpf/trdc$$
decap_pins=/sys/fs/bpf/tailrace/decap-$dev
tmp=$(mktemp -d)
vip4=203.0.113.10
vip6=2001:db8:f::10
vips=(--vip 203.0.113.0/24 2001:db8:f::/48)
tests=0
failed=0
server=

cleanup() {
	[ -z "$server" ] || kill "$server" 2> /dev/null || true
	ip netns del "$client" 2> /dev/null || true
	ip netns del "$backend" 2> /dev/null || true
	rm -rf "$tmp" "$pins" "$decap_pins" "$decap_pins"_1
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# `ip netns exec` would mount a /sys of its own, without these pins.
on_client() { nsenter --net="/run/netns/$client" "$@"; }
on_backend() { nsenter --net="/run/netns/$backend" "$@"; }
decap() { on_backend "$tailrace" decap "$dev" "$@"; }

# ok NAME COMMAND...
ok() {
	local name=$1 status
	shift
	tests=$((tests + 1))
	# Not in a condition: there a function's own failing commands would not end it.
	set +e
	(set -e; "$@") > "$tmp/log" 2>&1
	status=$?
	set -e
	if [ $status = 0 ]; then
		echo "ok $tests - decap: $name"
	else
		failed=$((failed + 1))
		echo "not ok $tests - decap: $name"
		sed 's/^/# /' "$tmp/log"
	fi
}

# refuses COMMAND...: passes where the command fails by itself (not: killed, not found).
refuses() {
	local status=0
	"$@" || status=$?
	[ $status -gt 0 ] && [ $status -lt 126 ]
}

# refused PATTERN COMMAND...: fails by itself, and what it says has the pattern.
refused() {
	local pattern=$1
	shift
	refuses "$@" > "$tmp/said" 2>&1 || { cat "$tmp/said"; echo "was not refused"; return 1; }
	said "$pattern"
}

# said PATTERN...: all of them stand in what the last run_quiet command printed.
run_quiet() { "$@" > "$tmp/said" 2>&1; }
said() {
	local pattern
	for pattern; do
		grep -q -- "$pattern" "$tmp/said" || { cat "$tmp/said"; echo "lacks: $pattern"; return 1; }
	done
}

# verdict NAME: its packets, as --status prints them.
verdict() { decap --status | awk -v name="$1" '$1 == name { print $2 }'; }

# json EXPRESSION: of what --status --json prints.
json() {
	decap --status --json |
		python3 -c 'import json, sys; s = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

xdp_attached() { on_backend ip link show dev "$dev" | grep -q prog/xdp; }

nothing_left() { [ -z "$(on_backend tc filter show dev "$dev" ingress)" ] && [ ! -e "$decap_pins" ]; }

make_network() {
	ip netns add "$client"
	ip netns add "$backend"
	ip -n "$client" link add "$dev" type veth peer name "$dev" netns "$backend"
	ip -n "$client" -b - <<-END
		addr add 10.0.0.1/24 dev $dev
		addr add fd00::1/64 dev $dev nodad
		link set lo up
		link set $dev up
		route add 203.0.113.0/24 via 10.0.0.2 mtu 1400
		route add 2001:db8:f::/48 via fd00::2 mtu 1400
	END
	ip -n "$backend" -b - <<-END
		addr add 10.0.0.2/24 dev $dev
		addr add fd00::2/64 dev $dev nodad
		addr add $vip4/32 dev lo
		addr add $vip6/128 dev lo
		link set lo up
		link set $dev up
	END
}

# A TCP server that answers an upload with its digest, and a UDP echo, each at both VIPs.
start_server() {
	cat > "$tmp/server.py" <<-'END'
		import hashlib, socket, sys, threading

		def tcp(family, address):
		    listener = socket.create_server((address, 8080), family=family, backlog=16)
		    while True:
		        peer, _ = listener.accept()
		        digest = hashlib.sha256()
		        while data := peer.recv(1 << 18):
		            digest.update(data)
		        peer.sendall(digest.hexdigest().encode())
		        peer.close()

		def udp(family, address):
		    sock = socket.socket(family, socket.SOCK_DGRAM)
		    sock.bind((address, 8080))
		    while True:
		        data, peer = sock.recvfrom(65535)
		        sock.sendto(data, peer)

		for family, address in (socket.AF_INET, sys.argv[1]), (socket.AF_INET6, sys.argv[2]):
		    for serve in tcp, udp:
		        threading.Thread(target=serve, args=(family, address)).start()
	END
	nsenter --net="/run/netns/$backend" python3 "$tmp/server.py" "$vip4" "$vip6" &
	server=$!
	for _ in $(seq 50); do
		[ "$(on_backend ss -Hltn 'sport = :8080' | wc -l)" -lt 2 ] || return 0
		sleep 0.1
	done
	echo "Bail out! the server does not come up"
	exit 1
}

write_client() {
	cat > "$tmp/client.py" <<-'END'
		import hashlib, os, socket, sys

		address, size = sys.argv[1], int(sys.argv[2])
		udp = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
		udp.settimeout(2)
		for i in range(20):
		    ping = os.urandom(200)
		    udp.sendto(ping, (address, 8080))
		    assert udp.recv(65535) == ping, "the echo is another datagram"
		data = os.urandom(size)
		with socket.create_connection((address, 8080), timeout=5) as tcp:
		    tcp.sendall(data)
		    tcp.shutdown(socket.SHUT_WR)
		    answer = tcp.recv(64, socket.MSG_WAITALL).decode()
		assert answer == hashlib.sha256(data).hexdigest(), "the upload arrived as other bytes: " + answer
	END
}

# encapsulate ipv4|ipv6: the family of the client's tunnels from now on.
encapsulate() {
	on_client tc filter replace dev "$dev" egress protocol all prio 1 handle 1 bpf da pinned "$pins/encap_$1"
}

# transfer VIP [LEAST [MOST]]: 20 datagrams and an upload arrive whole, in between LEAST and MOST packets
# decapsulated, and none met a verdict that real traffic must not meet.
transfer() {
	local before after
	before=$(verdict decapsulated)
	on_client python3 "$tmp/client.py" "$1" 8000000
	decap --status > "$tmp/status"
	after=$(verdict decapsulated)
	echo "decapsulated: $((after - before)) packets"
	cat "$tmp/status"
	[ $((after - before)) -ge "${2:-20}" ]
	[ $((after - before)) -le "${3:-100000}" ]
	awk '/^(strip_failed|bad_outer|bad_inner|truncated|ecn_lost) / { sum += $2 } END { exit sum != 0 }' \
		"$tmp/status"
}

test_traffic() {
	local mode outer most
	for mode in xdp generic tc; do
		# What tc sees of 8 MB has to be GSO packets still.
		most=100000
		[ "$mode" != tc ] || most=3000
		ok "$mode: attaches" decap "${vips[@]}" --mode "$mode"
		for outer in ipv4 ipv6; do
			encapsulate "$outer"
			ok "$mode: IPv4 in $outer" transfer "$vip4" 100 "$most"
			ok "$mode: IPv6 in $outer" transfer "$vip6" 100 "$most"
		done
	done
}


# Thirty changes of the lists under a flood of pings: not one is lost, nothing is attached anew.
churn() {
	local id pinger
	id=$(json "s['attached']")
	on_client ping -q -f -c 15000 "$vip4" > "$tmp/ping" &
	pinger=$!
	for _ in $(seq 10); do
		decap "${vips[@]}" 192.0.2.0/24 --source 172.16.0.0/12 172.16.1.0/24 > "$tmp/out"
		decap --vip $vip4 198.51.100.0/24 --source 172.16.1.0/24 0.0.0.0/0 --address 10.0.0.2 10.0.0.9 \
			> "$tmp/out"
		decap "${vips[@]}" > "$tmp/out"
	done
	wait "$pinger" || true
	cat "$tmp/ping"
	grep -q ' 0% packet loss' "$tmp/ping"
	[ "$(json "s['attached']")" = "$id" ]
}

# denied VERDICT OPTIONS...: with these lists a ping stays unanswered, and is counted so.
denied() {
	local name=$1
	local before
	shift
	decap "$@"
	before=$(verdict "$name")
	if on_client ping -q -i 0.01 -c 5 -W 0.3 "$vip4"; then
		return 1
	fi
	echo "$name: $before, then $(verdict "$name")"
	[ $(($(verdict "$name") - before)) -ge 5 ]
}

serves_again() {
	decap "${vips[@]}"
	on_client ping -q -c 2 -i 0.1 -W 1 "$vip4"
}

test_lists() {
	local mode
	for mode in xdp tc; do
		decap "${vips[@]}" --mode $mode > "$tmp/out"
		encapsulate ipv4
		ok "$mode: changes of the lists lose nothing" churn
		ok "$mode: a source that was not told" denied source_denied "${vips[@]}" --source 172.17.0.0/16
		ok "$mode: an address that was not told" denied not_for_us "${vips[@]}" --address 10.0.0.3
		ok "$mode: a VIP that was not told" denied inner_not_vip --vip 203.0.114.0/24
		ok "$mode: the lists of before serve again" serves_again
	done
}

# Frames of every length up to the end of the inner header: each is counted as truncated, none is dropped by mistake.
send_short() {
	cat > "$tmp/short.py" <<-'END'
		import socket, struct, sys

		dev, mac = sys.argv[1], bytes.fromhex(sys.argv[2].replace(":", ""))
		v4 = socket.inet_aton("172.16.1.1") + socket.inet_aton("10.0.0.2")
		v4 = mac * 2 + b"\x08\x00" + struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 4, 0) + v4
		v6 = socket.inet_pton(socket.AF_INET6, "100::1") + socket.inet_pton(socket.AF_INET6, "fd00::2")
		v6 = mac * 2 + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 40, 41, 64) + v6
		sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		sock.bind((dev, 0))
		for frame, outer in (v4, 20), (v6, 40):
		    for length in range(15, 14 + outer):
		        sock.send(frame[:length])
		print(19 + 39)
	END
	on_client python3 "$tmp/short.py" "$dev" "$1"
}

short_frames() {
	local before after sent
	before=$(verdict truncated)
	sent=$(send_short "$(ip -n "$backend" -br link show "$dev" | awk '{ print $3 }')")
	sleep 0.2
	after=$(verdict truncated)
	echo "sent $sent, truncated: $((after - before))"
	[ $((after - before)) = "$sent" ]
}

# With frames of more than a page: the program has to say that it takes fragments.
test_jumbo() {
	if [ "$(printf '%s\n' 5.18 "$(uname -r)" | sort -V | head -n 1)" != 5.18 ]; then
		ok "jumbo frames # SKIP XDP fragments need Linux 5.18" true
		return
	fi
	decap --detach > "$tmp/out"
	on_client ip link set dev "$dev" mtu 9000
	on_backend ip link set dev "$dev" mtu 9000
	on_client ip route replace 203.0.113.0/24 via 10.0.0.2 mtu 8900
	encapsulate ipv4
	ok "jumbo frames: attaches" decap "${vips[@]}"
	ok "jumbo frames: traffic" transfer "$vip4" 500 2500
	decap --detach > "$tmp/out"
	on_client ip link set dev "$dev" mtu 1500
	on_backend ip link set dev "$dev" mtu 1500
	on_client ip route replace 203.0.113.0/24 via 10.0.0.2 mtu 1400
}

test_other_program() {
	[ ! -e "$decap_pins" ] || decap --detach > "$tmp/out"
	on_backend ip link set dev "$dev" xdp pinned "$pins/other_xdp"
	run_quiet decap "${vips[@]}" && echo "not refused" > "$tmp/said"
	ok "another XDP program: refused, named, with advice" said "other_xdp (id [0-9]*)" "--mode tc"
	ok "another XDP program: still there" xdp_attached
	ok "another XDP program: nothing pinned" refuses test -e "$decap_pins"
	ok "another XDP program: tc beside it" decap "${vips[@]}" --mode tc
	ok "another XDP program: traffic" transfer "$vip4"
	decap --detach > "$tmp/out"
	ok "detach: the other XDP program stays" xdp_attached
	ok "detach: no filter, no pins" nothing_left
	on_backend ip link set dev "$dev" xdp off
}

lists_change_only() {
	decap --vip $vip4 > "$tmp/said"
	said "by netlink, not ours" "vips  *$vip4$"
}

test_by_hand() {
	ok "load-only" decap "${vips[@]}" --load-only
	ok "load-only: nothing attached" refuses xdp_attached
	ok "ip link set xdp pinned" on_backend ip link set dev "$dev" xdp pinned "$decap_pins/xdp"
	ok "ip link set xdp pinned: traffic" transfer "$vip6"
	ok "ip link set xdp pinned: lists change, the attachment stays" lists_change_only
	decap "${vips[@]}" > "$tmp/out"
	on_backend ip link set dev "$dev" xdp off
	ok "tc filter bpf da pinned" on_backend tc filter add dev "$dev" ingress bpf da pinned "$decap_pins/tc"
	ok "tc filter bpf da pinned: traffic" transfer "$vip6"
	on_backend tc filter del dev "$dev" ingress
	ok "detach after load-only" decap --detach
	ok "detach: no pins" refuses test -e "$decap_pins"
}

json_says_the_same() {
	[ "$(json 's["attached"][0]["mode"], s["vips"], s["verdicts"]["decapsulated"]')" = \
		"('xdp', ['203.0.113.0/24', '2001:db8:f::/48'], 0)" ]
}

# The client's device has the same name, and so the same default pins.
namesake_refused() {
	run_quiet on_client "$tailrace" decap "$dev" --vip 192.0.2.0/24 && return 1
	said "another device" "--pin DIR"
	[ "$(json 's["vips"]')" = "['203.0.113.0/24', '2001:db8:f::/48']" ]
}

test_link_life() {
	decap "${vips[@]}" --mode xdp > "$tmp/out"
	run_quiet decap --status
	ok "status: table" said "mode xdp, by bpf_link" "^decapsulated  *0 " "203.0.113.0/24"
	ok "status: JSON" json_says_the_same
	ok "a device of that name elsewhere: refused, the lists stay" namesake_refused
	ip -n "$backend" link del "$dev"
	ok "the device is gone: detach cleans up" decap --detach
	ok "the device is gone: no pins" refuses test -e "$decap_pins"
	ok "no such device: refused" refuses decap "${vips[@]}"
}

# pin_map PATH: a map that is not the decapsulator's.
pin_map() { bpftool map create "$1" type array key 4 value 4 entries 1 name foreign; }

# pinned DIR: the names there, in one line.
pinned() { (cd "$1" && echo *); }

test_foreign_pins() {
	mkdir "$pins/alien" "$pins/instance" "$pins/mixed"
	pin_map "$pins/alien/other"
	pin_map "$pins/instance/instance"
	pin_map "$pins/instance/vips"
	ok "--pin: not a directory of other pins" refused "nothing in it is" decap "${vips[@]}" --pin "$pins/alien"
	ok "--pin: nor --detach there" refused "nothing in it is" decap --detach --pin "$pins/alien"
	ok "--pin: they stay" [ "$(pinned "$pins/alien")" = other ]
	ok "--pin: not an instance's" refused "holds an instance" decap "${vips[@]}" --pin "$pins/instance"
	ok "--pin: nor --detach there" refused "holds an instance" decap --detach --pin "$pins/instance"
	ok "--pin: its pins stay" [ "$(pinned "$pins/instance")" = "instance vips" ]
	ok "--pin: not the root" refused "everybody's" decap "${vips[@]}" --pin /sys/fs/bpf/
	ok "--pin: not the root of all instances" refused "everybody's" decap --detach --pin /sys/fs/bpf/tailrace

	decap "${vips[@]}" --load-only --pin "$pins/mixed" > "$tmp/out"
	pin_map "$pins/mixed/other"
	rm "$pins/mixed/xdp" "$pins/mixed/vips"
	on_backend ip link set dev "$dev" xdp pinned "$pins/other_xdp"
	ok "a failed load" refused "other_xdp" decap "${vips[@]}" --mode xdp --pin "$pins/mixed"
	on_backend ip link set dev "$dev" xdp off
	ok "a failed load removes what it made, no more" \
		[ "$(pinned "$pins/mixed")" = "addresses other owner sources tc verdicts" ]
	ok "half a directory: --detach" decap --detach --pin "$pins/mixed"
	ok "--detach leaves a foreign pin" [ "$(pinned "$pins/mixed")" = other ]
}

test_half_made() {
	local name
	for name in xdp tc owner; do
		decap "${vips[@]}" --mode tc > "$tmp/out"
		rm "$decap_pins/$name"
		ok "without the pin '$name': --detach" decap --detach
		ok "without the pin '$name': nothing left" nothing_left
	done
	decap "${vips[@]}" --load-only > "$tmp/out"
	rm "$decap_pins/xdp"
	ok "without the pin 'xdp': loading again completes it" decap "${vips[@]}" --mode xdp
	ok "without the pin 'xdp': attached" xdp_attached
	decap --detach > "$tmp/out"
}

# elsewhere COMMAND...: of another namespace with a device of that name; in the test's own namespace there is none.
elsewhere() { on_client "$tailrace" decap "$dev" "$@"; }
here() { "$tailrace" decap "$dev" "$@"; }

test_owner() {
	local how
	for how in "--mode tc" "--load-only"; do
		# shellcheck disable=SC2086 # two words
		decap "${vips[@]}" $how > "$tmp/out"
		ok "$how: a namesake elsewhere: load" refused "another device.*--pin DIR" elsewhere --vip 192.0.2.0/24
		ok "$how: a namesake elsewhere: status" refused "another device.*--pin DIR" elsewhere --status
		ok "$how: a namesake elsewhere: detach" refused "another device.*--pin DIR" elsewhere --detach
		ok "$how: a namespace without it: detach" refused "another network namespace" here --detach
		ok "$how: the lists stay" [ "$(json 's["vips"]')" = "['203.0.113.0/24', '2001:db8:f::/48']" ]
		decap --detach > "$tmp/out"
	done
	decap "${vips[@]}" --mode xdp > "$tmp/out"
	ok "--mode xdp: a namespace without it: detach" refused "another network namespace" here --detach
	rm "$decap_pins/owner"
	ok "--mode xdp, no owner: a namespace without it: detach" refused "another device" here --detach
	ok "--mode xdp, no owner: still attached" xdp_attached
	ok "--mode xdp, no owner: pins stay" [ -e "$decap_pins/link" ]
	decap --detach > "$tmp/out"
	on_backend ip link add "$dev.1" type veth
	on_backend ip link add "${dev}_1" type veth
	on_backend "$tailrace" decap "$dev.1" "${vips[@]}" --address 192.0.2.1 --load-only > "$tmp/out"
	ok "two names, one directory" refused "$dev\.1 .*--pin DIR" \
		on_backend "$tailrace" decap "${dev}_1" "${vips[@]}" --address 192.0.2.1 --load-only
	on_backend ip link del "$dev.1"
	on_backend ip link add "$dev.1" type veth
	ok "made anew: taken over" on_backend "$tailrace" decap "$dev.1" "${vips[@]}" --address 192.0.2.1 --load-only
	on_backend ip link set "$dev.1" name "${dev}x"
	on_backend ip link add "$dev.1" type veth
	ok "renamed, and another of its name: refused" refused "another device" \
		on_backend "$tailrace" decap "$dev.1" --detach
	ok "renamed: the new name detaches" on_backend "$tailrace" decap "${dev}x" --detach --pin "${decap_pins}_1"
}

test_lock() {
	local locker
	decap "${vips[@]}" --load-only > "$tmp/out"
	flock "$decap_pins" sleep 30 &
	locker=$!
	sleep 0.2
	ok "locked: load gives up" refused "another command" on_backend timeout 5 "$tailrace" decap "$dev" "${vips[@]}"
	ok "locked: detach gives up" refused "another command" on_backend timeout 5 "$tailrace" decap "$dev" --detach
	ok "locked: status does not mind" decap --status
	kill "$(ps -o pid= --ppid $locker)" $locker
	wait $locker || true
	ok "no longer locked: detach" decap --detach
}

test_options() {
	ok "options: two actions" refused "do not go together" decap --status --detach
	ok "options: load-only, detach" refused "do not go together" decap "${vips[@]}" --load-only --detach
	ok "options: lists with --status" refused "takes none of" decap --status "${vips[@]}"
	ok "options: lists with --detach" refused "takes none of" decap --detach --source 192.0.2.0/24
	ok "options: --mode with --status" refused "does not attach" decap --status --mode xdp
	ok "options: --mode with --detach" refused "does not attach" decap --detach --mode tc
	ok "options: --mode with --load-only" refused "does not attach" decap "${vips[@]}" --load-only --mode tc
	ok "options: --json alone" refused "goes with --status" decap "${vips[@]}" --json
	ok "options: --json with --detach" refused "goes with --status" decap --detach --json
}

make_network
run_quiet ip netns exec "$backend" "$tailrace" decap "$dev" "${vips[@]}" --load-only
ok "pins that would vanish: warned" said "warning: /sys/fs/bpf is mounted in this mount namespace alone"
on_client tc qdisc add dev "$dev" clsact
on_backend tc qdisc add dev "$dev" clsact
start_server
write_client
decap "${vips[@]}" > "$tmp/out"
bpftool prog loadall "$top/build/testenv/encap.bpf.o" "$pins" > "$tmp/out" 2>&1
test_traffic
ok "tc: frames cut anywhere in the outer header" short_frames
test_lists
test_jumbo
encapsulate ipv4
test_other_program
test_by_hand
test_foreign_pins
test_half_made
test_owner
test_lock
test_options
test_link_life
echo "1..$tests"
[ "$failed" = 0 ]
