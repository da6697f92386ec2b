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

/* RFC 1071: over a header with its checksum the sum is all ones. */
static bool checksum_ok(const struct iphdr *ip)
{
	uint16_t words[sizeof(*ip) / 2];
	uint32_t sum = 0;

	memcpy(words, ip, sizeof(words));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* NULL, or what is wrong with the IP header at this place, which len bytes of packet belong to. */
static const char *ipv4_fault(const uint8_t *at, size_t len, uint8_t protocol)
{
	struct iphdr ip;

	memcpy(&ip, at, sizeof(ip));
	if (ip.version != 4 || ip.ihl != 5 || ip.protocol != protocol)
		return "no IPv4 header of the right protocol";
	if (ntohs(ip.tot_len) != len)
		return "wrong total length";
	return checksum_ok(&ip) ? NULL : "wrong IPv4 header checksum";
}

static const char *ipv6_fault(const uint8_t *at, size_t len, uint8_t protocol)
{
	struct ipv6hdr ip;

	memcpy(&ip, at, sizeof(ip));
	if (ip.version != 6 || ip.nexthdr != protocol)
		return "no IPv6 header of the right protocol";
	return ntohs(ip.payload_len) + sizeof(ip) == len ? NULL : "wrong payload length";
}

static const char *inner_fault(const struct scenario *scenario, const uint8_t *at, size_t len)
{
	if (scenario->family == FRONT_IPV4)
		return ipv4_fault(at, len, scenario->protocol);
	if (scenario->family == FRONT_IPV6)
		return ipv6_fault(at, len, scenario->protocol);
	return NULL;
}

int check_forwarded(const struct scenario *scenario, const char *who, const struct check_run *run, size_t added,
		    size_t len)
{
	bool v6 = added == sizeof(struct ipv6hdr);
	const uint8_t *outer = run->frame + ETH_HLEN;
	const char *fault;
	uint16_t ethertype;

	if (run->action != XDP_TX)
		return bad(scenario, who, "XDP action %u instead of XDP_TX", run->action);
	if (run->len != len + added)
		return bad(scenario, who, "%u bytes instead of %zu", run->len, len + added);
	memcpy(&ethertype, run->frame + ETH_HLEN - 2, sizeof(ethertype));
	if (ntohs(ethertype) != (v6 ? ETH_P_IPV6 : ETH_P_IP))
		return bad(scenario, who, "wrong Ethernet type");
	fault = v6 ? ipv6_fault(outer, run->len - ETH_HLEN, IPPROTO_IPV6) :
		     ipv4_fault(outer, run->len - ETH_HLEN, IPPROTO_IPIP);
	if (fault)
		return bad(scenario, who, "outer header: %s", fault);
	fault = inner_fault(scenario, outer + added, len - ETH_HLEN);
	return fault ? bad(scenario, who, "inner header: %s", fault) : 0;
}

int check_backend(const struct scenario *scenario, const struct check_run *run)
{
	bool v6 = scenario->family == FRONT_IPV6;
	uint32_t number = run->frame[ETH_ALEN - 1], first = v6 ? SETUP_BACKENDS / 2 + 1 : 1;
	uint8_t mac[ETH_ALEN] = { 2, 0, 0, 0, 1, number }, daddr[16];

	if (number < first || number >= first + SETUP_BACKENDS / 2 || memcmp(run->frame, mac, sizeof(mac)))
		return bad(scenario, "tailrace", "the Ethernet destination is no backend's");
	inet_pton(v6 ? AF_INET6 : AF_INET, v6 ? SETUP_BACKEND6 : SETUP_BACKEND4, daddr);
	daddr[v6 ? 15 : 3] += number;
	if (memcmp(run->frame + ETH_HLEN + (v6 ? 24 : 16), daddr, v6 ? 16 : 4))
		return bad(scenario, "tailrace", "the outer destination is not the address of backend %u", number);
	return 0;
}

int check_passed(const struct scenario *scenario, const struct check_run *run, const uint8_t *frame, size_t len)
{
	const char *fault;

	if (run->action != XDP_PASS)
		return bad(scenario, "tailrace", "XDP action %u instead of XDP_PASS", run->action);
	if (run->len != len || memcmp(run->frame, frame, ETH_HLEN))
		return bad(scenario, "tailrace", "the packet has been changed");
	fault = inner_fault(scenario, run->frame + ETH_HLEN, len - ETH_HLEN);
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
	uint64_t forwarded = scenario->verdict == TR_V_FORWARDED ? packets : 0, vips = 0;
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
