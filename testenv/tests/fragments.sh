#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Fragments: datagrams of up to 60,000 bytes arrive whole at one backend and are answered, in any order where the VIP hashes by
# addresses; what nobody has seen the first fragment of is dropped; headers that are cut or overlapped are not delivered.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

bring_up() {
	local host
	make_network b1 b2
	add_client_addresses
	serve_mixes
	for host in b1 b2; do
		start_dns "$host"
	done
	configure <<-END
		$(mixed_pools)
		$(mixed_vips_with)
		  - { name: any, addresses: [192.0.2.3, "2001:db8::3"], services: [80/tcp, 7/udp], pool: four, fragments: addresses }
		  - { name: any6, addresses: [192.0.2.4, "2001:db8::4"], services: [80/tcp, 7/udp], pool: six, fragments: addresses }
		  - { name: dns, addresses: [192.0.2.5, "2001:db8::5"], services: [53/udp], pool: four }
	END
	start_controller
}

# A TXT record of 4,000 bytes for whatever is asked, for those who take datagrams of that size (EDNS); else "ask again by TCP".
start_dns() {
	cat > "$tmp/dns.py" <<-'END'
		import select, socket, struct, sys

		sockets = []
		for family, level, option, any_ in ((socket.AF_INET, socket.IPPROTO_IP, 8, "0.0.0.0"),
		                                    (socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, "::")):
		    sock = socket.socket(family, socket.SOCK_DGRAM)
		    if family == socket.AF_INET6:
		        sock.setsockopt(level, socket.IPV6_V6ONLY, 1)
		    sock.setsockopt(level, option, 1)
		    sock.bind((any_, 53))
		    sockets.append(sock)
		strings = b"".join(bytes([200]) + bytes([c]) * 200 for c in sys.argv[1].encode() * 10)
		record = struct.pack("!HHHIH", 0xc00c, 16, 1, 60, len(strings)) + strings
		while True:
		    for sock in select.select(sockets, [], [])[0]:
		        query, control, _, peer = sock.recvmsg(4096, 256)
		        end = query.index(b"\0", 12) + 5
		        answer = query[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + query[12:end] + record
		        if len(query) < end + 11 or struct.unpack("!H", query[end + 3:end + 5])[0] < len(answer):
		            answer = query[:2] + struct.pack("!HHHHH", 0x8380, 1, 0, 0, 0) + query[12:end]
		        # From the address that was asked; the way back is not the interface's that it came by.
		        level, kind, info = control[0]
		        zero = bytes(4)
		        info = zero + info[4:8] + zero if sock is sockets[0] else info[:16] + zero
		        sock.sendmsg([answer], [(level, kind, info)], 0, peer)
	END
	spawn "$1" "$tmp/dns-$1.log" python3 "$tmp/dns.py" "$1"
}

# resolved ADDRESS: the whole text of one backend.
resolved() {
	local answer
	answer=$(on client drill -b 4096 TXT large.example "@$1")
	echo "$answer"
	[ "$(grep -oE '"[b12]{2}|"([b1-9])\1{199}"' <<< "$answer" | wc -l)" = 20 ]
	grep -E 'MSG SIZE +rcvd: 40[0-9][0-9]' <<< "$answer"
}

# whole SIZE COUNT VIP FROM: each is answered; by both backends, where there are flows enough.
whole() {
	local flows=$2
	echoes "$flows" "$3" 7 20000 -a "$4" -s "$1" -w 2 > "$tmp/whole"
	cat "$tmp/whole"
	equal "b1 b2" "$(answered_by < "$tmp/whole")"
	# Whole or in fragments, a flow is a flow.
	echoes "$flows" "$3" 7 20000 -a "$4" -s 100 > "$tmp/short"
	equal "$(cat "$tmp/short")" "$(cat "$tmp/whole")"
}

# by_addresses SIZE VIP FROM: all flows of the address have one backend, whole, in fragments and TCP's too.
by_addresses() {
	local backend
	backend=$(echoes 4 "$2" 7 0 -a "$3" -s "$1" -w 1 | answered_by)
	[[ $backend =~ ^b[12]$ ]]
	equal "$backend" "$(echoes 20 "$2" 7 0 -a "$3" -s 200 | answered_by)"
	equal "$backend" "$(fetch 20 "$(http_url "$2")/" --interface "$3" | answered_by)"
}
spread_by_addresses() {
	local n
	for n in {40..59}; do
		echoes 1 "$1" 7 0 -s 3000 -a "$(client_address "$1" "$n")"
	done > "$tmp/spread"
	equal "b1 b2" "$(answered_by < "$tmp/spread")"
}

test_large() {
	local size
	for size in 1473 4000 20000; do
		ok_mixes "datagrams of $size bytes" whole $size 16
	done
	ok_mixes "datagrams of 60,000 bytes" whole 60000 10
	ok "no fragment under another verdict" no_bad_verdicts fragment
	for vip in 192.0.2.3 192.0.2.4 2001:db8::3 2001:db8::4; do
		ok "datagrams of 4,000 bytes, by addresses, $vip" by_addresses 4000 $vip "$(client_address $vip 60)"
		ok "datagrams of 60,000 bytes, by addresses, $vip" by_addresses 60000 $vip "$(client_address $vip 61)"
		ok "clients are spread, by addresses, $vip" spread_by_addresses $vip
	done
	ok "still none" no_bad_verdicts fragment
}

test_dns() {
	ok "DNS with answers of 4,000 bytes, v4" resolved 192.0.2.5
	ok "DNS with answers of 4,000 bytes, v6" resolved 2001:db8::5
}

ident=1000
# send VIP FROM PROTOCOL CUTS...: prints who answers. Each with an id of its own.
send() {
	ident=$((ident + 1))
	on client "$testenv/send_fragments.py" "$2" "$1" 7 20000 "$3" "$ident" "${@:4}"
}
answered() { [[ $(send "$@") =~ ^b[12]$ ]]; }
lost() { equal - "$(send "$@")"; }
both_orders=("0-800 800-1600 1600-2400 2400-2600" "0-800 2400-2600 1600-2400 800-1600")

test_order() {
	local cuts
	for cuts in "${both_orders[@]}"; do
		# shellcheck disable=SC2086 # words
		ok_mixes "the first one first: $cuts" in_order $cuts
	done
	ok_mixes "a later one first is lost" early 1 800-1600 0-800 1600-2000
	ok_mixes "the first one last is lost" early 3 800-1600 1600-2400 2400-2600 0-800
	for vip in 192.0.2.3 192.0.2.4 2001:db8::3 2001:db8::4; do
		ok "by addresses: a later one first, $vip" counted fragment 3 \
			answered $vip "$(client_address $vip 1)" udp 800-1600 0-800 1600-2000
		ok "by addresses: the first one last, $vip" counted fragment 4 \
			answered $vip "$(client_address $vip 1)" udp 2400-2600 1600-2400 800-1600 0-800
	done
	ok "extension headers behind the fragment header" counted fragment 2 \
		answered $vip6 fd00:0:0:c::1 options+udp 0-1008 1008-1400
	ok "extension headers, by addresses, any order" counted fragment 2 \
		answered 2001:db8::3 fd00:0:0:c::1 options+udp 1008-1400 0-1008
}
# in_order CUTS... VIP FROM and early COUNT CUTS... VIP FROM: as ok_mixes gives them.
in_order() { counted fragment 4 answered "${@: -2}" udp "${@:1:$#-2}"; }
early() { counted fragment_early "$1" lost "${@: -2}" udp "${@:2:$#-3}"; }

# not_delivered VERDICT LEAST VIP FROM PROTOCOL CUTS...
not_delivered() {
	counted "$1" "$2" send "${@:3}"
	sleep 0.3
	equal "0 0" "$(seen b1 "$4\b.* > $3\b") $(seen b2 "$4\b.* > $3\b")"
}

test_tiny() {
	local n=9 vip from
	# What is open goes up the stack only with the flow's addresses inside.
	watch_packets b1 tcp or udp or ip6
	watch_packets b2 tcp or udp or ip6
	for vip in 192.0.2.1 192.0.2.3 2001:db8::1 2001:db8::3; do
		n=$((n + 1))
		from=$(client_address $vip $n)
		ok "a TCP header that is cut, $vip" not_delivered tiny_fragment 2 $vip "$from" tcp 0-8 8-40
		ok "a TCP header that is cut behind its flags, $vip" not_delivered tiny_fragment 2 $vip "$from" tcp 0-16 16-40
		ok "a fragment over a TCP header, $vip" not_delivered tiny_fragment 1 $vip "$from" tcp 8-40
		[[ $vip = *:* ]] || continue
		ok "headers that do not come to their end, $vip" not_delivered tiny_fragment 1 $vip "$from" options+udp 0-8 8-40
	done
	ok "what has a whole header is delivered" send $vip4 203.0.113.9 tcp 0-24 24-48
	ok "there it is" wait_until 5 grep -E "203.0.113.9.* > 192.0.2.1" "$tmp/seen-b1" "$tmp/seen-b2"
}

begin fragments
bring_up
test_large
test_dns
test_order
test_tiny
ok "no packet under another verdict" no_bad_verdicts fragment fragment_early tiny_fragment
done_testing
