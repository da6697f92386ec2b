/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can become of a packet. Every packet that the balancer sees ends in exactly one of these, and is counted
 * under it. The names are the metric's labels and what `tailrace stats` prints, so they are an interface: add, do
 * not rename. The order is the index in the map `verdicts`, which outlives programs: append only.
 *
 * X(NAME, name, XDP action, help)
 *
 * Not ours -> PASS, untouched. Ours, but nothing here handles it yet -> PASS, so that the host may. Ours and
 * impossible to forward -> DROP. What cannot happen -> ABORTED, which a tracepoint shows.
 */
#ifndef TAILRACE_VERDICTS_H
#define TAILRACE_VERDICTS_H

#define TR_VERDICTS(X)                                                                                               \
	X(FORWARDED, forwarded, TX, "encapsulated and sent to a backend")                                            \
	X(NOT_IP, not_ip, PASS, "neither IPv4 nor IPv6 (ARP, LLDP, ...): the host's own")                            \
	X(TRUNCATED, truncated, PASS, "too short to hold a destination address: the host's own to refuse")           \
	X(NOT_VIP, not_vip, PASS, "the destination is no VIP's address: the host's own")                             \
	X(NO_SERVICE, no_service, PASS, "to a VIP's address, but no service has this protocol and port")             \
	X(ICMP, icmp, PASS, "ICMP or ICMPv6 to a VIP's address")                                                     \
	X(FRAGMENT, fragment, PASS, "a fragment to a VIP's address")                                                 \
	X(IP_OPTIONS, ip_options, PASS, "IPv4 with options to a VIP's address")                                      \
	X(EXT_HEADER, ext_header, PASS, "IPv6 with extension headers to a VIP's address")                            \
	X(VLAN, vlan, PASS, "to a VIP's address, inside a VLAN tag")                                                 \
	X(STAGE_MISSING, stage_missing, PASS, "the protocol's stage is not in the map `stages`")                     \
	X(BAD_IP, bad_ip, DROP, "to a VIP's address, with an IP header whose version or lengths cannot be")          \
	X(BAD_L4, bad_l4, DROP, "to a VIP's service, with a TCP or UDP header that is cut short or lies")            \
	X(NO_BACKEND, no_backend, DROP, "the service's pool has no backend that can take it")                        \
	X(TOO_BIG, too_big, DROP, "would not fit the next hop's MTU once encapsulated")                              \
	X(NO_HEADROOM, no_headroom, DROP, "the driver left no room in front of the packet for the outer header")     \
	X(INTERNAL, internal, ABORTED, "a bug in tailrace: a map that must hold an entry did not")

enum tr_verdict {
#define X(NAME, name, action, help) TR_V_##NAME,
	TR_VERDICTS(X)
#undef X
	TR_V_COUNT
};

#endif
