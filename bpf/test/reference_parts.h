/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of the reference, which follow the sections of docs/packets.md. For nobody else. */
#ifndef TAILRACE_TEST_REFERENCE_PARTS_H
#define TAILRACE_TEST_REFERENCE_PARTS_H

#include "reference.h"

#define GO_ON TR_V_COUNT		/* no verdict yet */
#define ETH_LEN 14
#define TAG_LEN 4
#define IP4_LEN 20
#define IP6_LEN 40
#define ICMP_LEN 8
#define IP4_DF 0x4000
#define IP4_MF 0x2000
#define IP4_OFFSET 0x1fff

enum piece { PIECE_WHOLE, PIECE_FIRST, PIECE_LATER };

/* IPv6 extension headers; offsets are from the IPv6 header's first byte. */
struct chain {
	const __u8 *ip;
	size_t end;			/* of what is there */
	size_t at;			/* where the headers end */
	unsigned int count;
	unsigned int next;		/* what stands there */
	bool fragment;			/* there was a fragment header, with: */
	bool more;
	unsigned int offset;		/* bytes */
	unsigned int behind;		/* its next header */
	__u32 id;
	size_t before, data;		/* extension headers in front of it; where its data begin */
};

/* GO_ON, TR_V_EXT_DEPTH, TR_V_BAD_EXT, TR_V_ROUTING_HEADER; TR_V_TINY_FRAGMENT where a first fragment's chain is cut short. */
enum tr_verdict chain_walk(struct chain *chain);

struct parse {
	const struct world *world;
	const __u8 *frame;
	size_t len;
	size_t ip;			/* offset of the IP header */
	unsigned int tags;
	bool v4;
	struct tr_addr src, dst;
	const struct tr_vip_address *at;
	bool extended;			/* options or extension headers */
	enum piece piece;
	bool cut;			/* a first fragment's chain, short of its end */
	unsigned int protocol;		/* behind all headers; of a later fragment what its header says */
	size_t l4, l4_end;		/* offsets; the end is the IP packet's own, not the frame's */
	/* Of fragments: */
	struct fragment_key key;
	bool more;
	unsigned int offset;		/* bytes */
	size_t before, data;		/* bytes in front, and of data */
};

/* Sections 1 to 3. */
enum tr_verdict parse_packet(struct parse *p);
const struct tr_vip_address *find_address(const struct world *w, const struct tr_addr *addr);
bool is_martian(const struct tr_addr *addr);
enum tr_verdict check_source(const struct parse *p);
/* 0: no service. port: as in the packet. */
__u32 find_service(const struct world *w, const struct tr_vip_address *at, enum tr_l4 l4, __be16 port);
bool l4_of(unsigned int protocol, enum tr_l4 *ret);

/* Section 4. */
enum tr_verdict check_fragment(const struct parse *p);
enum tr_verdict route_later(const struct reference *r, const struct parse *p, struct answer *a);

/* The service is known: from here the backend is chosen by the flow's bucket. Ports as in the packet. */
enum tr_verdict route_to(const struct reference *r, const struct parse *p, struct answer *a, const struct tr_addr *client,
			 __be16 sport, __be16 dport);

/* Section 7. */
enum tr_verdict route_icmp(const struct reference *r, const struct parse *p, struct answer *a);

/* Sections 8 and 9. */
void encapsulate(const struct world *world, const struct tr_backend *b, const __u8 *frame, size_t len, bool oversize,
		 struct answer *a);
void answer_too_big(const struct reference *r, const struct world *world, const struct tr_backend *b, const __u8 *frame,
		    size_t len, struct answer *a);
void answer_unchanged(struct answer *a, const __u8 *frame, size_t len);
/* RFC 1624, equation 3: a word at `at` of what the checksum is over becomes another. */
void correct_checksum(__u8 *check, const __u8 was[2], const __u8 now[2]);

/* Section 10: would there be an answer? limit_take() is for good. */
bool limit_allows(const struct reference *r, const struct world *world, enum limit limit, const struct tr_addr *source);
void limit_take(struct reference *r, const struct world *world, enum limit limit, const struct tr_addr *source);

static inline unsigned int get16(const __u8 *at)
{
	return at[0] << 8 | at[1];
}

static inline void set16(__u8 *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* The state. Arrays are searched from a hash on; none may fill up. */
#define FRAGMENTS_MAX 4096
#define FLOWS_MAX 16384
#define SOURCES_MAX 8192

struct reference {
	struct fragment_record {
		struct fragment_key key;
		bool used;
		__u32 tick;
		__u32 vip;
		__u32 n;		/* 0: no service */
		struct {
			__u32 backend, generation;
		} maybe[CANDIDATES_MAX];	/* the backend is one of these */
	} fragments[FRAGMENTS_MAX];
	__u32 n_fragments;
	struct flow_record {
		struct flow_key key;
		__u32 epoch;		/* another: free */
		__u32 backend;
	} flows[FLOWS_MAX];
	__u32 n_flows, epoch;
	struct source_record {
		struct tr_addr addr;
		enum limit limit;	/* LIMIT_NONE: free */
		struct tr_tokens tokens;
	} sources[SOURCES_MAX];
	struct tr_tokens all[3];	/* by enum limit */
};

__u32 reference_hash(const void *key, size_t len);
/* Alive ones; NULL: none. */
const struct fragment_record *find_fragment(const struct reference *r, const struct world *w, const struct fragment_key *key);
void remember_fragment(struct reference *r, const struct world *w, const struct answer *a);
const struct flow_record *find_flow(const struct reference *r, const struct flow_key *key);
void remember_flow(struct reference *r, const struct flow_key *key, __u32 backend);

#endif
