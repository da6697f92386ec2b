#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# IPv4 options and IPv6 extension headers: TCP and UDP with them are balanced like TCP and UDP without, and answered.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

bring_up() {
	make_network b1 b2
	add_client_addresses
	serve_mixes
	configure <<-END
		$(mixed_pools)
		$(mixed_vips_with)
	END
	start_controller
	write_client
}

# client.py FROM ADDRESS PORT OPTIONS...: asks the UDP echo with a short and a full datagram, and the web server; prints who answers each.
# OPTIONS: NAME=HEX of a socket. routing=HEX: a routing header, of which the kernel makes none by itself; UDP only.
write_client() {
	cat > "$tmp/client.py" <<-'END'
		import socket, struct, sys

		source, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
		options = [(name, bytes.fromhex(value)) for name, value in (option.split("=") for option in sys.argv[4:])]
		names = {"ip": (socket.IPPROTO_IP, 4), "hop": (socket.IPPROTO_IPV6, socket.IPV6_HOPOPTS),
		         "dst": (socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS)}
		family = socket.AF_INET6 if ":" in address else socket.AF_INET

		def open_socket(kind):
		    sock = socket.socket(family, kind)
		    sock.settimeout(2)
		    for name, value in options:
		        if name in names:
		            sock.setsockopt(*names[name], value)
		    sock.bind((source, port))
		    sock.connect((address, 7 if kind == socket.SOCK_DGRAM else 80))
		    return sock

		def checksum(data):
		    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
		    while total >> 16:
		        total = (total & 0xffff) + (total >> 16)
		    return ~total & 0xffff

		def send_raw(header, payload):
		    ends = socket.inet_pton(family, source) + socket.inet_pton(family, address)
		    udp = struct.pack("!HHHH", port, 7, 8 + len(payload), 0) + payload
		    check = checksum(ends + struct.pack("!II", len(udp), 17) + udp)
		    udp = udp[:6] + struct.pack("!H", check) + udp[8:]
		    data = header + udp
		    raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
		    raw.sendto(struct.pack("!IHBB", 6 << 28, len(data), 43, 64) + ends + data, (address, 0))

		udp = open_socket(socket.SOCK_DGRAM)
		for size in 64, 1300:
		    payload = bytes(range(250)) * (size // 250) + bytes(size % 250)
		    if options[0][0] == "routing":
		        send_raw(options[0][1], payload)
		    else:
		        udp.send(payload)
		    answer = udp.recv(65535)
		    print(answer[size:].decode() if answer[:size] == payload else "another answer")
		if options[0][0] != "routing":
		    tcp = open_socket(socket.SOCK_STREAM)
		    tcp.sendall(b"GET / HTTP/1.0\r\n\r\n")
		    print(tcp.makefile().read().splitlines()[-1])
	END
}

ask() { on client python3 "$tmp/client.py" "$@"; }

# with NAME=HEX... VIP FROM: many flows, each UDP flow goes where it goes without options, TCP to somebody.
with() {
	local vip=${*: -2:1} from=${*: -1} port backend said
	echoes 8 "$vip" 7 20000 -a "$from" > "$tmp/plain"
	equal "b1 b2" "$(answered_by < "$tmp/plain")"
	while read -r port backend; do
		said=$(ask "$from" "$vip" "$port" "${@:1:$#-2}" | xargs)
		echo "$port: $said"
		[[ $said =~ ^$backend\ $backend(\ b[12])?$ ]]
	done < "$tmp/plain"
}

# ok_family NAME 4|6 VERDICT LEAST OPTIONS...: with them, to the VIPs of this family.
ok_family() {
	local mixed_vips=(192.0.2.1 192.0.2.2)
	[ "$2" = 4 ] || mixed_vips=(2001:db8::1 2001:db8::2)
	ok_mixes "$1" counted "$3" "$4" with "${@:5}"
}

zeros() { printf "%0$((2 * $1))d" 0; }

test_options() {
	# UDP: two datagrams for each of 8 flows. TCP: at least SYN, ACK, request and FIN.
	ok_family "NOPs" 4 ip_options 40 ip=01010101
	ok_family "record route" 4 ip_options 40 "ip=072704$(zeros 37)"
	ok_family "timestamps" 4 ip_options 40 "ip=44240500$(zeros 32)"
	ok_family "router alert" 4 ip_options 40 ip=94040000
	ok_family "hop-by-hop options" 6 ext_header 40 hop=0000010400000000
	ok_family "destination options" 6 ext_header 40 dst=0000010400000000
	ok_family "long destination options" 6 ext_header 40 "dst=000b1e5c$(zeros 92)"
	ok_family "both" 6 ext_header 40 hop=0000010400000000 dst=0000010400000000
	ok_family "a routing header at its end" 6 ext_header 16 routing=1100fd0000000000
}

# The balancer's own stack refuses it.
segments_left() { refuses ask "$1" "$vip6" 20000 routing=1100fd0100000000; }

# Behind each other, more than are gone through.
too_many() { refuses ask "$1" "$vip6" 20000 "routing=$(printf '2b00fd0000000000%.0s' 1 2 3 4 5 6)1100fd0000000000"; }

test_refused() {
	ok "a routing header with segments left" counted routing_header 1 segments_left fd00:0:0:c::20
	ok "seven headers" counted ext_depth 1 too_many fd00:0:0:c::20
}

begin options
bring_up
test_options
ok "no packet under another verdict" no_bad_verdicts ip_options ext_header
test_refused
done_testing
