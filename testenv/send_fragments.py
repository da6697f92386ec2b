#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""One UDP datagram, or a SYN with data, in fragments that are cut and ordered as one likes.

send_fragments.py SOURCE ADDRESS PORT SOURCE_PORT udp|options+udp|tcp ID CUT...

CUT: FIRST-END, bytes of what can be cut, in the order in which they are sent: the transport header, 8 or 20 bytes, and a payload;
with "options+" (IPv6) 8 bytes of destination options before them. The greatest END is the datagram's, and has no M bit.
A UDP answer is waited for; prints what stands in it behind the payload (who answers), or "-".
"""
import socket
import struct
import sys

source, address, port, source_port, protocol, ident = sys.argv[1:7]
port, source_port, ident = int(port), int(source_port), int(ident)
cuts = [tuple(map(int, cut.split("-"))) for cut in sys.argv[7:]]
options = protocol.startswith("options+")
udp = protocol.endswith("udp")
family = socket.AF_INET6 if ":" in address else socket.AF_INET
number = socket.IPPROTO_UDP if udp else socket.IPPROTO_TCP
first_number = socket.IPPROTO_DSTOPTS if options else number
src, dst = socket.inet_pton(family, source), socket.inet_pton(family, address)
end = max(cut[1] for cut in cuts)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def transport(payload):
    size = len(payload) + (8 if udp else 20)
    pseudo = src + dst + struct.pack("!II", size, number)
    if udp:
        head = struct.pack("!HHHH", source_port, port, size, 0)
        return head[:6] + struct.pack("!H", checksum(pseudo + head + payload) or 0xffff) + payload
    head = struct.pack("!HHIIBBHHH", source_port, port, 1000, 0, 5 << 4, 2, 65535, 0, 0)
    return head[:16] + struct.pack("!H", checksum(pseudo + head + payload)) + head[18:] + payload


payload = bytes(i * 7 & 0xff for i in range(end - (8 if udp else 20) - (8 if options else 0)))
whole = (bytes([number, 0, 1, 4, 0, 0, 0, 0]) if options else b"") + transport(payload)


def packet(first, last):
    data, more = whole[first:last], last < end
    if family == socket.AF_INET:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), ident, more << 13 | first // 8, 64, number, 0) + src + dst + data
    fragment = struct.pack("!BBHI", first_number, 0, first | more, ident)
    return struct.pack("!IHBB", 6 << 28, 8 + len(data), socket.IPPROTO_FRAGMENT, 64) + src + dst + fragment + data


answers = socket.socket(family, socket.SOCK_DGRAM)
answers.bind((source, source_port))
answers.settimeout(1)
raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
for cut in cuts:
    raw.sendto(packet(*cut), (address, 0))
if udp:
    try:
        answer, sender = answers.recvfrom(65535)
        good = answer.startswith(payload) and sender[:2] == (address, port)
        print(answer[len(payload):].decode() if good else f"another answer, from {sender}")
    except TimeoutError:
        print("-")
