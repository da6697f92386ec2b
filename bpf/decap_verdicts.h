/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can become of a packet on a backend. Every packet that the decapsulator sees ends in exactly one of these, and
 * is counted under it in the map `verdicts`. The names are what `tailrace decap --status` prints, so they are an
 * interface; the order is the map's index, and the map outlives programs: append only.
 *
 * X(NAME, name, PASS | DROP, help)
 *
 * Whatever is not for the decapsulator passes untouched. DROP is for what no host may accept, or what is no longer
 * the packet that came.
 */
#ifndef TAILRACE_DECAP_VERDICTS_H
#define TAILRACE_DECAP_VERDICTS_H

#define TR_DECAP_VERDICTS(X)                                                                                         \
	X(DECAPSULATED, decapsulated, PASS, "the outer header was taken off")                                        \
	X(NOT_TUNNEL, not_tunnel, PASS, "neither IP in IPv4 nor IP in IPv6: the host's own")                         \
	X(TRUNCATED, truncated, PASS, "the frame ends before its headers do")                                        \
	X(VLAN, vlan, PASS, "more VLAN tags than are looked behind: XDP two, tc one")                                \
	X(NOT_FOR_US, not_for_us, PASS, "a tunnel packet to none of the told addresses")                             \
	X(BAD_OUTER, bad_outer, PASS, "the outer header's version or lengths cannot be")                             \
	X(OUTER_OPTIONS, outer_options, PASS, "to a told address, the outer IPv4 header with options")               \
	X(OUTER_FRAGMENT, outer_fragment, PASS, "to a told address, the outer packet a fragment")                    \
	X(OUTER_EXT_HEADER, outer_ext_header, PASS, "to a told address, the outer IPv6 with extension headers")      \
	X(SOURCE_DENIED, source_denied, PASS, "a tunnel packet to us, from none of the told sources")                \
	X(BAD_INNER, bad_inner, PASS, "the inner header's version or lengths cannot be")                             \
	X(INNER_NOT_VIP, inner_not_vip, PASS, "the inner destination is in none of the told VIP prefixes")           \
	X(ECN_LOST, ecn_lost, DROP, "marked CE on the way, but the inner packet's ends know no ECN (RFC 6040 4.2)")  \
	X(STRIP_FAILED, strip_failed, DROP, "the kernel could not take the outer header off (memory, odd GSO)")

enum tr_decap_verdict {
#define X(NAME, name, action, help) TR_D_##NAME,
	TR_DECAP_VERDICTS(X)
#undef X
	TR_D_COUNT
};

#endif
