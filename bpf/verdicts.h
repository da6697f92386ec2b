/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can become of a packet. Every packet that the balancer sees ends in exactly one of these, and is counted
 * under it. The names are the metric's labels and what `tailrace stats` prints, so they are an interface: add, do
 * not rename. The order is the index in the map `verdicts`, which outlives programs: append only.
 *
 * X(NAME, name, XDP action, help)
 *
 * Not ours -> PASS, untouched. To a VIP's address, but the host's business -> PASS. Ours and impossible to forward -> DROP.
 * What cannot happen -> ABORTED, which a tracepoint shows. TX stands for the way out: XDP_REDIRECT where the next hop lies on
 * another interface. docs/packets.md has the order in which they win.
 */
#ifndef TAILRACE_VERDICTS_H
#define TAILRACE_VERDICTS_H

#define TR_VERDICTS(X)                                                                                               \
	X(FORWARDED, forwarded, TX, "encapsulated and sent to a backend")                                            \
	X(NOT_IP, not_ip, PASS, "neither IPv4 nor IPv6 (ARP, LLDP, ...): the host's own")                            \
	X(TRUNCATED, truncated, PASS, "too short to hold a destination address: the host's own to refuse")           \
	X(NOT_VIP, not_vip, PASS, "the destination is no VIP's address: the host's own")                             \
	X(NO_SERVICE, no_service, PASS, "to a VIP's address, but no service has this protocol and port")             \
	X(ICMP, icmp, PASS, "ICMP to a VIP's address that is neither a whole echo request nor an error: the host's own") \
	X(FRAGMENT, fragment, TX, "a fragment, sent to the backend that the first one of its packet went to")        \
	X(IP_OPTIONS, ip_options, TX, "IPv4 with options, sent to a backend")                                        \
	X(EXT_HEADER, ext_header, TX, "IPv6 with extension headers, sent to a backend")                              \
	X(VLAN, vlan, TX, "inside VLAN tags, sent to a backend")                                                     \
	X(STAGE_MISSING, stage_missing, PASS, "the protocol's stage is not in the map `stages`")                     \
	X(BAD_IP, bad_ip, DROP, "to a VIP's address, with an IP header whose version or lengths cannot be")          \
	X(BAD_L4, bad_l4, DROP, "to a VIP's service, with a TCP or UDP header that is cut short or lies")            \
	X(NO_BACKEND, no_backend, DROP, "the service's pool has no backend that can take it")                        \
	X(TOO_BIG, too_big, DROP, "would not fit the next hop's MTU once encapsulated, and was not answered")        \
	X(NO_HEADROOM, no_headroom, DROP, "the driver left no room in front of the packet for new headers")          \
	X(INTERNAL, internal, ABORTED, "a bug in tailrace: a map that must hold an entry did not")                   \
	X(ICMP_ERROR, icmp_error, TX, "an ICMP error about a VIP's flow, sent to the flow's backend")                \
	X(ICMP_NO_FLOW, icmp_no_flow, PASS, "an ICMP error to a VIP's address, about no service's flow: the host's own") \
	X(BAD_ICMP, bad_icmp, DROP, "ICMP to a VIP's address that is cut short, or whose inner packet lies")         \
	X(ECHO, echo, TX, "an echo request to a VIP's address, answered")                                            \
	X(ECHO_OFF, echo_off, DROP, "an echo request to a VIP's address that does not answer")                       \
	X(ECHO_LIMITED, echo_limited, DROP, "an echo request above the limits of answers")                           \
	X(TOO_BIG_ANSWERED, too_big_answered, TX, "would not fit: answered by frag-needed or packet-too-big")        \
	X(OVERSIZE, oversize, PASS, "would not fit: encapsulated and given to the host's stack to be fragmented")    \
	X(FRAGMENT_EARLY, fragment_early, DROP, "a later fragment whose first has not been seen")                    \
	X(TINY_FRAGMENT, tiny_fragment, DROP, "a first fragment without its whole header chain, or one that overlaps it") \
	X(BAD_FRAGMENT, bad_fragment, DROP, "a fragment whose lengths cannot be")                                    \
	X(BAD_EXT, bad_ext, DROP, "IPv6 extension headers that are cut short, out of order or twice there")          \
	X(EXT_DEPTH, ext_depth, DROP, "more IPv6 extension headers than are gone through")                           \
	X(ROUTING_HEADER, routing_header, PASS, "an IPv6 routing header that is not at its end: the host's own")     \
	X(ZERO_PORT, zero_port, DROP, "to a VIP's service, from or to port 0")                                       \
	X(MARTIAN, martian, DROP, "for a VIP, from an address that nobody can have")                                 \
	X(VIP_SOURCE, vip_source, DROP, "for a VIP, from a VIP's address")                                           \
	X(NO_DEVICE, no_device, DROP, "the backend's next hop lies on an interface that is not in the map `devices`")

enum tr_verdict {
#define X(NAME, name, action, help) TR_V_##NAME,
	TR_VERDICTS(X)
#undef X
	TR_V_COUNT
};

#endif
