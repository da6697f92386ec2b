#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What ICMP errors a host is given: "TYPE CODE FROM > TO: SOURCE PORT > DESTINATION PORT" on a line, the latter those of the
packet that is quoted, and "mtu N" behind where one stands in it. Says "ready" first."""
import select
import socket
import struct

ERRORS = {socket.AF_INET: (3, 11, 12), socket.AF_INET6: (1, 2, 3, 4)}


def text(family, packed):
    return socket.inet_ntop(family, packed)


def show(family, source, to, message):
    kind, code, _, extra = struct.unpack("!BBHI", message[:8])
    quoted = message[8:]
    if kind not in ERRORS[family] or len(quoted) < 28:
        return
    if family == socket.AF_INET:
        ends = (quoted[12:16], quoted[16:20])
        ports = quoted[4 * (quoted[0] & 15):]
    else:
        ends = (quoted[8:24], quoted[24:40])
        ports = quoted[40:]
    sport, dport = struct.unpack("!HH", ports[:4])
    mtu = extra if family == socket.AF_INET6 and kind == 2 else extra & 0xffff if (kind, code) == (3, 4) else 0
    print(f"{kind} {code} {source} > {to}: {text(family, ends[0])} {sport} > {text(family, ends[1])} {dport}" +
          (f" mtu {mtu}" if mtu else ""), flush=True)


v4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
v6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
print("ready", flush=True)
while True:
    for ready in select.select([v4, v6], [], [])[0]:
        data, control, _, peer = ready.recvmsg(65535, 256)
        if ready is v4:
            show(socket.AF_INET, text(socket.AF_INET, data[12:16]), text(socket.AF_INET, data[16:20]), data[4 * (data[0] & 15):])
        else:
            show(socket.AF_INET6, peer[0], text(socket.AF_INET6, control[0][2][:16]), data)
