// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <string.h>

#include "check.h"
#include "log.h"
#include "setup.h"
#include "util.h"

static const char *const verdicts[] = {
#define X(NAME, name, action, help) [TR_V_##NAME] = #name,
	TR_VERDICTS(X)
#undef X
};

#define bad(scenario, who, fmt, ...) log_err(-EBADMSG, "%s: %s: " fmt, (scenario)->name, who, ##__VA_ARGS__)

#define ICMP_LEN 8
#define FLOOR4_LEN 0x42		/* what the floors' outer headers say, of all frames */
#define FLOOR6_LEN (0x42 + 40)
/* RFC 792, RFC 4443 */
enum { ICMP_ECHOREPLY = 0, ICMP_DEST_UNREACH = 3, ICMP_FRAG_NEEDED = 4, ICMPV6_ECHO_REPLY = 129 };

static uint32_t sum_words(const void *at, size_t len)
{
	const uint8_t *bytes = at;
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	return sum;
}

/* RFC 1071: over what a checksum is of, itself and len bytes in all, the sum is all ones. pseudo: the sum of a pseudo-header. */
static bool sum_ok(const uint8_t *at, size_t len, uint32_t pseudo)
{
	uint32_t sum = sum_words(at, len) + pseudo;

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* NULL, or what is wrong with the IP header of `header` bytes at this place, which len bytes of packet belong to. */
static const char *ipv4_fault(const uint8_t *at, size_t len, size_t header, uint8_t protocol)
{
	struct iphdr ip;

	memcpy(&ip, at, sizeof(ip));
	if (ip.version != 4 || ip.ihl * 4 != header || ip.protocol != protocol)
		return "no IPv4 header of the right protocol";
	if (ntohs(ip.tot_len) != len)
		return "wrong total length";
	return sum_ok(at, header, 0) ? NULL : "wrong IPv4 header checksum";
}

static const char *ipv6_fault(const uint8_t *at, size_t len, uint8_t protocol)
{
	struct ipv6hdr ip;

	memcpy(&ip, at, sizeof(ip));
	if (ip.version != 6 || ip.nexthdr != protocol)
		return "no IPv6 header of the right protocol";
	return ntohs(ip.payload_len) + sizeof(ip) == len ? NULL : "wrong payload length";
}

/* Bytes of the IP header, options and extension headers included. */
static size_t header_len(const struct scenario *scenario)
{
	size_t more = scenario->verdict == TR_V_IP_OPTIONS || scenario->verdict == TR_V_EXT_HEADER ? FRONT_MORE_LEN : 0;

	return (scenario->family == FRONT_IPV6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) + more;
}

static const char *header_fault(const struct scenario *scenario, const uint8_t *at, size_t len)
{
	bool ext = scenario->verdict == TR_V_EXT_HEADER;

	if (scenario->family == FRONT_IPV4)
		return ipv4_fault(at, len, header_len(scenario), scenario->protocol);
	return ipv6_fault(at, len, ext ? IPPROTO_DSTOPTS : scenario->protocol);
}

static const char *icmp_fault(const uint8_t *at, size_t len, uint32_t pseudo)
{
	return sum_ok(at, len, pseudo) ? NULL : "wrong ICMP checksum";
}

/* at: len bytes of IP packet; frame: what went in, of which all behind the ports has to be there. */
static const char *inner_fault(const struct scenario *scenario, const uint8_t *at, const uint8_t *frame, size_t len)
{
	size_t l4 = header_len(scenario), fixed = scenario->family == FRONT_IPV6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	const uint8_t *was = frame + scenario_l3(scenario);
	const char *fault;

	if (scenario->family == FRONT_ARP)
		return NULL;
	fault = header_fault(scenario, at, len);
	if (!fault && (memcmp(at + fixed, was + fixed, l4 - fixed) || memcmp(at + l4 + 4, was + l4 + 4, len - l4 - 4)))
		return "what follows the IP header has been changed";
	if (!fault && scenario->protocol == IPPROTO_ICMP)
		fault = icmp_fault(at + l4, len - l4, 0);
	return fault;
}

/* Outer header at l3, its own packet of outer_len bytes. */
static int check_encapsulated(const struct scenario *scenario, const char *who, const struct check_run *run, const uint8_t *frame,
			      size_t len, size_t l3, size_t outer_len)
{
	size_t added = scenario_floor_added(scenario), inner = scenario_l3(scenario);
	bool v6 = scenario->family == FRONT_IPV6;
	uint16_t ethertype;
	const char *fault;

	if (run->action != XDP_TX)
		return bad(scenario, who, "XDP action %u instead of XDP_TX", run->action);
	if (run->len != len + added)
		return bad(scenario, who, "%u bytes instead of %zu", run->len, len + added);
	memcpy(&ethertype, run->frame + l3 - 2, sizeof(ethertype));
	if (ntohs(ethertype) != (v6 ? ETH_P_IPV6 : ETH_P_IP))
		return bad(scenario, who, "wrong Ethernet type");
	fault = v6 ? ipv6_fault(run->frame + l3, outer_len, IPPROTO_IPV6) :
		     ipv4_fault(run->frame + l3, outer_len, added, IPPROTO_IPIP);
	if (fault)
		return bad(scenario, who, "outer header: %s", fault);
	fault = inner_fault(scenario, run->frame + inner + added, frame, len - inner);
	return fault ? bad(scenario, who, "inner packet: %s", fault) : 0;
}

int check_floor(const struct scenario *scenario, const struct check_run *run, const uint8_t *frame, size_t len)
{
	size_t outer_len = scenario->family == FRONT_IPV6 ? FLOOR6_LEN : FLOOR4_LEN;

	return check_encapsulated(scenario, "floor", run, frame, len, ETH_HLEN, outer_len);
}

static int check_backend(const struct scenario *scenario, const struct check_run *run)
{
	bool v6 = scenario->family == FRONT_IPV6;
	uint32_t number = run->frame[ETH_ALEN - 1], first = v6 ? SETUP_BACKENDS / 2 + 1 : 1;
	uint8_t mac[ETH_ALEN] = { 2, 0, 0, 0, 1, number }, daddr[16];

	if (number < first || number >= first + SETUP_BACKENDS / 2 || memcmp(run->frame, mac, sizeof(mac)))
		return bad(scenario, "tailrace", "the Ethernet destination is no backend's");
	inet_pton(v6 ? AF_INET6 : AF_INET, v6 ? SETUP_BACKEND6 : SETUP_BACKEND4, daddr);
	daddr[v6 ? 15 : 3] += number;
	if (memcmp(run->frame + scenario_l3(scenario) + (v6 ? 24 : 16), daddr, v6 ? 16 : 4))
		return bad(scenario, "tailrace", "the outer destination is not the address of backend %u", number);
	return 0;
}

int check_forwarded(const struct scenario *scenario, const struct check_run *run, const uint8_t *frame, size_t len)
{
	size_t l3 = scenario_l3(scenario), added = scenario_floor_added(scenario);
	int err = check_encapsulated(scenario, "tailrace", run, frame, len, l3, len - l3 + added);

	if (!err && l3 > ETH_HLEN && memcmp(run->frame + ETH_HLEN - 2, frame + ETH_HLEN - 2, FRONT_TAG_LEN))
		return bad(scenario, "tailrace", "the tag has been changed");
	return err ?: check_backend(scenario, run);
}

static const char *answered_link_fault(const uint8_t *is, const uint8_t *was)
{
	bool swapped = !memcmp(is, was + ETH_ALEN, ETH_ALEN) && !memcmp(is + ETH_ALEN, was, ETH_ALEN);

	return swapped && !memcmp(is + 2 * ETH_ALEN, was + 2 * ETH_ALEN, 2) ? NULL : "not back by the way it came";
}

/* is, was: the IPv4 header of the answer and of what it answers; len: of the answer. */
static const char *answer4_fault(const uint8_t *is, const uint8_t *was, size_t len)
{
	struct iphdr answer, asked;

	memcpy(&answer, is, sizeof(answer));
	memcpy(&asked, was, sizeof(asked));
	if (answer.saddr != asked.daddr || answer.daddr != asked.saddr || answer.ttl != 64)
		return "wrong addresses or TTL";
	return ipv4_fault(is, len, sizeof(answer), IPPROTO_ICMP) ?: icmp_fault(is + sizeof(answer), len - sizeof(answer), 0);
}

static const char *answer6_fault(const uint8_t *is, const uint8_t *was, size_t len)
{
	size_t icmp_len = len - sizeof(struct ipv6hdr);
	struct ipv6hdr answer, asked;
	uint32_t pseudo;

	memcpy(&answer, is, sizeof(answer));
	memcpy(&asked, was, sizeof(asked));
	if (memcmp(&answer.saddr, &asked.daddr, 16) || memcmp(&answer.daddr, &asked.saddr, 16) || answer.hop_limit != 64)
		return "wrong addresses or hop limit";
	pseudo = sum_words(&answer.saddr, 32) + htons(icmp_len) + htons(IPPROTO_ICMPV6);	/* RFC 8200 §8.1 */
	return ipv6_fault(is, len, IPPROTO_ICMPV6) ?: icmp_fault(is + sizeof(answer), icmp_len, pseudo);
}

/* is, was: ICMP of the answer and of the request, len bytes. */
static const char *echo_fault(const struct scenario *scenario, const uint8_t *is, const uint8_t *was, size_t len)
{
	if (is[0] != (scenario->family == FRONT_IPV6 ? ICMPV6_ECHO_REPLY : ICMP_ECHOREPLY) || is[1])
		return "no echo reply";
	return memcmp(is + 4, was + 4, len - 4) ? "what the request brought has been changed" : NULL;
}

/* is: ICMP of the answer; was: the IP packet that it is about. The quoted IPv4 header says how long that was. */
static const char *too_big_fault(const struct scenario *scenario, const uint8_t *is, const uint8_t *was)
{
	const uint8_t header[4] = { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED };
	const uint8_t *quoted = is + ICMP_LEN;
	uint32_t mtu = htonl(SETUP_MTU - sizeof(struct iphdr));
	size_t ports = sizeof(struct iphdr) + 4;

	if (memcmp(is, header, 2) || memcmp(is + 4, &mtu, sizeof(mtu)))
		return "no frag-needed with the right MTU";
	if (memcmp(quoted + ports, was + ports, FRONT_QUOTE - ports))
		return "the quoted packet is another";
	return ipv4_fault(quoted, scenario_cut(scenario) + FRONT_QUOTE, sizeof(struct iphdr), scenario->protocol);
}

int check_answered(const struct scenario *scenario, const struct check_run *run, const uint8_t *frame, size_t len)
{
	const uint8_t *is = run->frame + ETH_HLEN, *was = frame + ETH_HLEN;
	size_t wanted = len + scenario_added(scenario) - scenario_cut(scenario), header = header_len(scenario);
	const char *fault;

	if (run->action != XDP_TX)
		return bad(scenario, "tailrace", "XDP action %u instead of XDP_TX", run->action);
	if (run->len != wanted)
		return bad(scenario, "tailrace", "%u bytes instead of %zu", run->len, wanted);
	fault = answered_link_fault(run->frame, frame);
	if (!fault)
		fault = scenario->family == FRONT_IPV6 ? answer6_fault(is, was, wanted - ETH_HLEN) :
							 answer4_fault(is, was, wanted - ETH_HLEN);
	if (!fault)
		fault = scenario->verdict == TR_V_ECHO ? echo_fault(scenario, is + header, was + header, len - ETH_HLEN - header) :
							 too_big_fault(scenario, is + header, was);
	return fault ? bad(scenario, "tailrace", "answer: %s", fault) : 0;
}

int check_passed(const struct scenario *scenario, const struct check_run *run, const uint8_t *frame, size_t len)
{
	const char *fault;

	if (run->action != XDP_PASS)
		return bad(scenario, "tailrace", "XDP action %u instead of XDP_PASS", run->action);
	if (run->len != len || memcmp(run->frame, frame, ETH_HLEN))
		return bad(scenario, "tailrace", "the packet has been changed");
	fault = inner_fault(scenario, run->frame + ETH_HLEN, frame, len - ETH_HLEN);
	return fault ? bad(scenario, "tailrace", "%s", fault) : 0;
}

static int check_verdicts(const struct scenario *scenario, const struct target_counts *before,
			  const struct target_counts *after, uint64_t packets)
{
	for (size_t i = 0; i < TR_V_COUNT; i++) {
		uint64_t n = after->verdicts[i] - before->verdicts[i];

		if (n != (i == scenario->verdict ? packets : 0))
			return bad(scenario, "tailrace", "verdict %s counted %" PRIu64 " of %" PRIu64 " packets",
				   verdicts[i], n, packets);
	}
	return 0;
}

/* One flow has one backend; of many, each backend of a pool gets some, else the front program would not vary them. */
static int check_backends(const struct scenario *scenario, const struct target_counts *before,
			  const struct target_counts *after, uint64_t packets)
{
	size_t least = scenario->flows > 1 ? SETUP_POOL_SIZE : 1, used = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(after->backends); i++) {
		if (scenario->backends && (i < scenario->backends || i >= scenario->backends + SETUP_POOL_SIZE))
			continue;
		sum += after->backends[i] - before->backends[i];
		used += after->backends[i] != before->backends[i];
	}
	if (sum != packets)
		return bad(scenario, "tailrace", "the right backends counted %" PRIu64 " of %" PRIu64 " packets", sum, packets);
	if (packets && (used < least || (scenario->flows == 1 && used > 1)))
		return bad(scenario, "tailrace", "%zu backends got packets", used);
	return 0;
}

int check_counts(const struct scenario *scenario, const struct target_counts *before,
		 const struct target_counts *after, uint64_t packets)
{
	uint64_t forwarded = scenario_is_forwarded(scenario) ? packets : 0, vips = 0;
	int err = check_verdicts(scenario, before, after, packets);

	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(after->vips); i++)
		if (i >= scenario->vip_first && i <= scenario->vip_last)
			vips += after->vips[i] - before->vips[i];
	if (vips != forwarded)
		return bad(scenario, "tailrace", "its VIP counted %" PRIu64 " of %" PRIu64 " packets", vips,
			   forwarded);
	return check_backends(scenario, before, after, forwarded);
}

/* A record that finds no free slot in its two sets is refused. How often is the table's matter: of a thousand, one may be missing. */
static int check_held(const struct scenario *scenario, const struct records_counts *counts, uint64_t refused)
{
	uint32_t missing = 0;

	for (size_t tier = 0; tier < TR_TIER_COUNT; tier++) {
		uint32_t wanted = scenario->held[tier], held = counts->held[tier];

		if (scenario->tracks && tier == TR_TIER_TRACK)
			continue;
		if (held > wanted || wanted - held > wanted / 1000)
			return bad(scenario, "tailrace", "tier %zu holds %u records instead of %u", tier, held, wanted);
		missing += wanted - held;
	}
	if (!missing && refused)
		return bad(scenario, "tailrace", "%" PRIu64 " records refused", refused);
	return 0;
}

int check_records(const struct scenario *scenario, const struct records_counts *before,
		  const struct records_counts *after, uint64_t packets)
{
	const struct tr_pool_counts *was = &before->made, *is = &after->made;
	uint64_t new_flows = is->recorded_new - was->recorded_new;
	uint64_t others = is->recorded - was->recorded + is->recorded_udp - was->recorded_udp;
	uint64_t refused = is->refused - was->refused + is->refused_udp - was->refused_udp + is->pressed - was->pressed;

	if (new_flows != (scenario->inserts ? packets : 0))
		return bad(scenario, "tailrace", "%" PRIu64 " of %" PRIu64 " packets recorded as new flows", new_flows,
			   packets);
	if (others)
		return bad(scenario, "tailrace", "%" PRIu64 " flows recorded that had a record or need none", others);
	return check_held(scenario, after, refused);
}
