/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Configuration files that are refused, and what is said about them: "edge.yaml:" and the message. A part of the file is
 * given, around it stands what makes the rest valid; the wrappers keep it in the line that their comment names.
 */
#ifndef CONFIG_CASES_H
#define CONFIG_CASES_H

#define POOLS "pools:\n  - name: web\n    backends:\n      - { address: 10.0.0.1 }\n"
#define VIPS "vips:\n  - name: www\n    addresses: [192.0.2.1]\n    services: [80/tcp]\n    pool: web\n"
#define REST POOLS VIPS

/* line 5 */
#define BACKEND(text) "pools:\n  - name: web\n    backends:\n      - { address: 10.0.0.2 }\n      - " text "\n" VIPS
/* line 3 */
#define POOL(text) "pools:\n  - name: web\n    " text "\n    backends:\n      - { address: 10.0.0.1 }\n" VIPS
/* line 7 */
#define ADDRESSES(text)                                                                                              \
	POOLS "vips:\n  - name: www\n    addresses: [" text "]\n    services: [80/tcp]\n    pool: web\n"
/* line 8 */
#define SERVICES(text)                                                                                               \
	POOLS "vips:\n  - name: www\n    addresses: [192.0.2.1]\n    services: [" text "]\n    pool: web\n"
/* line 11 and on */
#define SECOND_VIP(text) REST "  - name: other\n" text
/* from line 2; 2 pools, 2 backends, 2 vips, 2 addresses, 2 prefixes, 5 services */
#define TWO_OF_EACH                                                                                                  \
	"pools:\n  - {name: a, backends: [{address: 10.0.0.1}]}\n  - {name: b, backends: [{address: 10.0.0.1}]}\n"   \
	"vips:\n  - {name: x, addresses: [192.0.2.1,192.0.2.2, 198.51.100.0/24, 198.51.101.0/24], "                  \
	"services: [all/tcp, 80/tcp], pool: a}\n"                                                                    \
	"  - {name: y, addresses: [192.0.2.1], services: [90/tcp], pool: a}\n"

#define TEN(n)                                                                                                       \
	"      - address: 10.0." n ".1\n      - address: 10.0." n ".2\n      - address: 10.0." n ".3\n"               \
	"      - address: 10.0." n ".4\n      - address: 10.0." n ".5\n      - address: 10.0." n ".6\n"               \
	"      - address: 10.0." n ".7\n      - address: 10.0." n ".8\n      - address: 10.0." n ".9\n"               \
	"      - address: 10.0." n ".10\n"
#define TWENTY_SIX_BACKENDS                                                                                          \
	TEN("1") TEN("2")                                                                                            \
	"      - address: 10.0.3.1\n      - address: 10.0.3.2\n      - address: 10.0.3.3\n"                           \
	"      - address: 10.0.3.4\n      - address: 10.0.3.5\n      - address: 10.0.3.6\n"

#define ONE_POOL(n) "  - name: p" n "\n    backends: [{ address: 10.0.1.1 }]\n"
#define FOUR_POOLS(n) ONE_POOL(n "a") ONE_POOL(n "b") ONE_POOL(n "c") ONE_POOL(n "d")
#define SEVENTEEN_POOLS                                                                                              \
	"pools:\n" FOUR_POOLS("1") FOUR_POOLS("2") FOUR_POOLS("3") FOUR_POOLS("4") ONE_POOL("5") "vips: []\n"

#define INSTANCE_RULE "an instance's name has no dot, which the BPF file system takes in no directory's name, and does " \
	"not begin with decap-"
#define ROOT_FIELDS "instance, devices, hash_key, encapsulation, metrics, limits, pools, vips"
#define NAME_RULE "a name is 1 to 63 of A-Z a-z 0-9 _ . - and does not start with a dot"
#define SERVICE_RULE "a service is PORT/PROTOCOL: a port of 1 to 65535 or all, and tcp or udp"
#define HOST_BITS \
	" has bits set behind its length; a prefix's first address, or an address without a length, is expected"
#define SOURCE4_RULE "an IPv4 prefix of 8 to 32 bits is expected, such as 172.16.0.0/16"
#define SOURCE6_RULE "an IPv6 prefix of 16 to 128 bits is expected, such as 100::/64"
#define METRICS_RULE "an address and a port are expected, such as 127.0.0.1:9564 or \"[::1]:9564\""
#define DEVICE_RULE "an interface's name is 1 to 15 characters without spaces, slashes and colons"

static const struct refused {
	const char *name;
	const char *yaml;
	const char *message;
} refused[] = {
	{ "backend without an address", BACKEND("{ weight: 5 }"),
	  "5: pools[0].backends[1].address: missing; required here: address" },
	{ "weight 0", BACKEND("{ address: 10.0.0.1, weight: 0 }"),
	  "5: pools[0].backends[1].weight: 0; a weight is 1 to 1000" },
	{ "weight 1001", BACKEND("{ address: 10.0.0.1, weight: 1001 }"),
	  "5: pools[0].backends[1].weight: 1001; a weight is 1 to 1000" },
	{ "weight -1", BACKEND("{ address: 10.0.0.1, weight: -1 }"),
	  "5: pools[0].backends[1].weight: -1; a weight is 1 to 1000" },
	{ "weight in hexadecimal", BACKEND("{ address: 10.0.0.1, weight: 0x50 }"),
	  "5: pools[0].backends[1].weight: 0x50; a weight is 1 to 1000" },
	{ "weight with a leading zero", BACKEND("{ address: 10.0.0.1, weight: 08 }"),
	  "5: pools[0].backends[1].weight: 08; a weight is 1 to 1000" },
	{ "weight with an exponent", BACKEND("{ address: 10.0.0.1, weight: 1e3 }"),
	  "5: pools[0].backends[1].weight: 1e3; a weight is 1 to 1000" },
	{ "weight beyond 64 bits", BACKEND("{ address: 10.0.0.1, weight: 18446744073709551617 }"),
	  "5: pools[0].backends[1].weight: 18446744073709551617; a weight is 1 to 1000" },
	{ "weight with a plus sign", BACKEND("{ address: 10.0.0.1, weight: +5 }"),
	  "5: pools[0].backends[1].weight: +5; a weight is 1 to 1000" },
	{ "weight with an underscore", BACKEND("{ address: 10.0.0.1, weight: 1_0 }"),
	  "5: pools[0].backends[1].weight: 1_0; a weight is 1 to 1000" },
	{ "weight of an empty text", BACKEND("{ address: 10.0.0.1, weight: \"\" }"),
	  "5: pools[0].backends[1].weight: \"\"; a weight is 1 to 1000" },
	{ "weight of nothing", BACKEND("{ address: 10.0.0.1, weight: }"),
	  "5: pools[0].backends[1].weight: nothing; a single value is expected" },
	{ "weight of null", BACKEND("{ address: 10.0.0.1, weight: ~ }"),
	  "5: pools[0].backends[1].weight: nothing; a single value is expected" },
	{ "weight of a list", BACKEND("{ address: 10.0.0.1, weight: [1] }"),
	  "5: pools[0].backends[1].weight: a list; a single value is expected" },
	{ "weight of a mapping", BACKEND("{ address: 10.0.0.1, weight: { a: 1 } }"),
	  "5: pools[0].backends[1].weight: a mapping; a single value is expected" },
	{ "state sideways", BACKEND("{ address: 10.0.0.1, state: sideways }"),
	  "5: pools[0].backends[1].state: sideways; a state is up or down" },
	{ "backend address with 300", BACKEND("{ address: 10.0.0.300 }"),
	  "5: pools[0].backends[1].address: 10.0.0.300; an IPv4 or IPv6 address is expected" },
	{ "backend address with a length", BACKEND("{ address: 10.0.0.0/24 }"),
	  "5: pools[0].backends[1].address: 10.0.0.0/24; an IPv4 or IPv6 address is expected" },
	{ "backend by name", BACKEND("{ address: web1.example }"),
	  "5: pools[0].backends[1].address: web1.example; an IPv4 or IPv6 address is expected" },
	{ "backend multicast", BACKEND("{ address: 224.0.0.1 }"),
	  "5: pools[0].backends[1].address: 224.0.0.1 is a multicast address; a backend has a unicast address" },
	{ "backend loopback", BACKEND("{ address: 127.0.0.1 }"),
	  "5: pools[0].backends[1].address: 127.0.0.1 is a loopback address; a backend has a unicast address" },
	{ "backend unspecified", BACKEND("{ address: 0.0.0.0 }"),
	  "5: pools[0].backends[1].address: 0.0.0.0 is the unspecified address; a backend has a unicast address" },
	{ "backend broadcast", BACKEND("{ address: 255.255.255.255 }"),
	  "5: pools[0].backends[1].address: 255.255.255.255 is the broadcast address; "
	  "a backend has a unicast address" },
	{ "backend IPv6 unspecified", BACKEND("{ address: \"::\" }"),
	  "5: pools[0].backends[1].address: :: is the unspecified address; a backend has a unicast address" },
	{ "backend IPv6 loopback", BACKEND("{ address: \"::1\" }"),
	  "5: pools[0].backends[1].address: ::1 is the loopback address; a backend has a unicast address" },
	{ "backend IPv6 multicast", BACKEND("{ address: \"ff02::1\" }"),
	  "5: pools[0].backends[1].address: ff02::1 is a multicast address; a backend has a unicast address" },
	{ "backend IPv6 link-local", BACKEND("{ address: \"fe80::1\" }"),
	  "5: pools[0].backends[1].address: fe80::1 is a link-local address; a backend has a unicast address" },
	{ "backend IPv4-mapped", BACKEND("{ address: \"::ffff:10.0.0.1\" }"),
	  "5: pools[0].backends[1].address: ::ffff:10.0.0.1; an IPv4 or IPv6 address is expected" },
	{ "backend twice in a pool", BACKEND("{ address: 10.0.0.2 }"),
	  "5: pools[0].backends[1].address: 10.0.0.2 is in this pool twice (line 4); "
	  "a backend is in a pool once" },
	{ "backend field misspelt", BACKEND("{ adress: 10.0.0.2 }"),
	  "5: pools[0].backends[1].adress: an unknown field, did you mean address?; allowed here: address, "
	  "weight, state" },
	{ "backend field twice", BACKEND("{ address: 10.0.0.1, address: 10.0.0.3 }"),
	  "5: pools[0].backends[1].address: given again after line 5; a field is given once" },
	{ "backend no mapping", BACKEND("10.0.0.1"),
	  "5: pools[0].backends[1]: a single value; a mapping is expected, of: address, weight, state" },
	{ "backend over several lines", BACKEND("\n        address: 10.0.0.1\n        weight: 5000"),
	  "7: pools[0].backends[1].weight: 5000; a weight is 1 to 1000" },
	{ "value a line below its field", BACKEND("address: 10.0.0.1\n        weight:\n          5000"),
	  "7: pools[0].backends[1].weight: 5000; a weight is 1 to 1000" },
	{ "tag", BACKEND("!server { address: 10.0.0.1 }"),
	  "5: pools[0].backends[1]: the tag !server; a value without a tag is expected" },
	{ "NUL in a value", BACKEND("{ address: \"10.0.0.1\\0\" }"),
	  "5: pools[0].backends[1].address: a value with a NUL in it; text without is expected" },
	{ "control characters do not reach the message", BACKEND("{ address: \"10.0.0.1\\x1b[31m\\u009b\" }"),
	  "5: pools[0].backends[1].address: 10.0.0.1?[31m??; an IPv4 or IPv6 address is expected" },
	{ "long value cut between characters",
	  BACKEND("{ address: äääääääääääääääääääääääääääääääääääääääääääääääääääääää }"),
	  "5: pools[0].backends[1].address: ääääääääääääääääääääääääääääää...; "
	  "an IPv4 or IPv6 address is expected" },
	{ "ring size not prime", POOL("ring_size: 65536"),
	  "3: pools[0].ring_size: 65536 is no prime; 65537 is the next one" },
	{ "ring size too small", POOL("ring_size: 241"),
	  "3: pools[0].ring_size: 241; a ring size, a prime, is 251 to 16777213" },
	{ "ring size too large", POOL("ring_size: 16777259"),
	  "3: pools[0].ring_size: 16777259; a ring size, a prime, is 251 to 16777213" },
	{ "pool field misspelt", POOL("ring_sizes: 241"),
	  "3: pools[0].ring_sizes: an unknown field, did you mean ring_size?; allowed here: name, ring_size, "
	  "backends" },
	{ "pool field unknown", POOL("colour: red"),
	  "3: pools[0].colour: an unknown field; allowed here: name, ring_size, backends" },
	{ "pool name twice in the pool", POOL("name: again"),
	  "3: pools[0].name: given again after line 2; a field is given once" },
	{ "VIP address with 256", ADDRESSES("192.0.2.256"),
	  "7: vips[0].addresses[0]: 192.0.2.256; an IPv4 or IPv6 address or prefix is expected" },
	{ "VIP prefix length 33", ADDRESSES("192.0.2.0/33"),
	  "7: vips[0].addresses[0]: 192.0.2.0/33; an IPv4 or IPv6 address or prefix is expected" },
	{ "VIP prefix with host bits", ADDRESSES("192.0.2.1/24"),
	  "7: vips[0].addresses[0]: 192.0.2.1/24" HOST_BITS },
	{ "VIP prefix too short with host bits", ADDRESSES("10.0.0.0/7"),
	  "7: vips[0].addresses[0]: 10.0.0.0/7; a prefix is at least 8 bits long" },
	{ "VIP prefix too short", ADDRESSES("8.0.0.0/7"),
	  "7: vips[0].addresses[0]: 8.0.0.0/7; a prefix is at least 8 bits long" },
	{ "VIP IPv6 prefix with bits behind 15", ADDRESSES("\"2001::/15\""),
	  "7: vips[0].addresses[0]: 2001::/15" HOST_BITS },
	{ "VIP IPv6 prefix too short", ADDRESSES("\"2000::/15\""),
	  "7: vips[0].addresses[0]: 2000::/15; a prefix is at least 16 bits long" },
	{ "VIP IPv6 prefix with host bits", ADDRESSES("\"2001:db8::1/32\""),
	  "7: vips[0].addresses[0]: 2001:db8::1/32" HOST_BITS },
	{ "VIP prefix multicast", ADDRESSES("224.0.0.0/8"),
	  "7: vips[0].addresses[0]: 224.0.0.0/8 starts with a multicast address; a VIP has unicast addresses" },
	{ "VIP loopback", ADDRESSES("127.0.0.1"),
	  "7: vips[0].addresses[0]: 127.0.0.1 is a loopback address; a VIP has unicast addresses" },
	{ "VIP unspecified", ADDRESSES("0.0.0.0"),
	  "7: vips[0].addresses[0]: 0.0.0.0 is the unspecified address; a VIP has unicast addresses" },
	{ "VIP prefix over all IPv4-mapped", ADDRESSES("\"::fffe:0:0/95\""),
	  "7: vips[0].addresses[0]: ::fffe:0:0/95 starts with an address of the reserved ::/80; "
	  "a VIP has unicast addresses" },
	{ "VIP address twice", ADDRESSES("192.0.2.1, 192.0.2.1"),
	  "7: vips[0].addresses[1]: 192.0.2.1 is in this list twice (line 7); once is enough" },
	{ "VIP address twice, once as /32", ADDRESSES("192.0.2.1, 192.0.2.1/32"),
	  "7: vips[0].addresses[1]: 192.0.2.1 is in this list twice (line 7); once is enough" },
	{ "VIP address is a backend's", ADDRESSES("10.0.0.1"),
	  "7: vips[0].addresses[0]: 10.0.0.1 is the address of pools[0].backends[0] (line 4); "
	  "a backend's address is no VIP's" },
	{ "VIP prefix holds a backend", ADDRESSES("192.0.2.1, 10.0.0.0/8"),
	  "7: vips[0].addresses[1]: 10.0.0.0/8 holds the address of pools[0].backends[0] (line 4); "
	  "a backend's address is no VIP's" },
	{ "VIP prefix of 25 bits holds a backend",
	  "pools: [ { name: web, backends: [address: 192.0.2.200] } ]\nvips:\n  - name: www\n    services: [80/tcp]\n"
	  "    addresses: [192.0.2.128/25]\n    pool: web\n",
	  "5: vips[0].addresses[0]: 192.0.2.128/25 holds the address of pools[0].backends[0] (line 1); "
	  "a backend's address is no VIP's" },
	{ "VIP without addresses", ADDRESSES(""), "7: vips[0].addresses: empty; a VIP has at least one" },
	{ "VIP address a list", ADDRESSES("[192.0.2.1]"),
	  "7: vips[0].addresses[0]: a list; a single value is expected" },
	{ "VIP address without a comma", ADDRESSES("192.0.2.1 192.0.2.2"),
	  "7: vips[0].addresses[0]: 192.0.2.1 192.0.2.2; an IPv4 or IPv6 address or prefix is expected" },
	{ "service without protocol", SERVICES("80"), "8: vips[0].services[0]: 80; " SERVICE_RULE },
	{ "service port 0", SERVICES("0/tcp"), "8: vips[0].services[0]: 0/tcp; " SERVICE_RULE },
	{ "service port 65536", SERVICES("65536/tcp"), "8: vips[0].services[0]: 65536/tcp; " SERVICE_RULE },
	{ "service port with a leading zero", SERVICES("080/tcp"),
	  "8: vips[0].services[0]: 080/tcp; " SERVICE_RULE },
	{ "service protocol unknown", SERVICES("80/sctp"), "8: vips[0].services[0]: 80/sctp; " SERVICE_RULE },
	{ "service protocol in capitals", SERVICES("80/TCP"), "8: vips[0].services[0]: 80/TCP; " SERVICE_RULE },
	{ "service port any", SERVICES("any/tcp"), "8: vips[0].services[0]: any/tcp; " SERVICE_RULE },
	{ "service port range", SERVICES("80-90/tcp"), "8: vips[0].services[0]: 80-90/tcp; " SERVICE_RULE },
	{ "service all without protocol", SERVICES("all"), "8: vips[0].services[0]: all; " SERVICE_RULE },
	{ "service with two protocols", SERVICES("80/tcp/udp"),
	  "8: vips[0].services[0]: 80/tcp/udp; " SERVICE_RULE },
	{ "VIP without services", SERVICES(""), "8: vips[0].services: empty; a VIP has at least one" },
	{ "service twice", SERVICES("80/tcp, 443/tcp, 80/tcp"),
	  "8: vips[0].services[2]: 80/tcp is in this list twice (line 8); once is enough" },
	{ "service without port", SERVICES("/tcp"), "8: vips[0].services[0]: /tcp; " SERVICE_RULE },
	{ "unknown pool", SECOND_VIP("    addresses: [192.0.2.1]\n    services: [80/tcp]\n    pool: nowhere\n"),
	  "13: vips[1].pool: nowhere; no pool has this name" },
	{ "service of another VIP",
	  SECOND_VIP("    addresses: [192.0.2.2, 192.0.2.1]\n    services: [443/tcp, 80/tcp]\n    pool: web\n"),
	  "11: vips[1].addresses[1]: 192.0.2.1 80/tcp is a service of vips[0], www, too (line 7); "
	  "one VIP can have it" },
	{ "VIP without a pool", SECOND_VIP("    addresses: [192.0.2.2]\n    services: [443/tcp, 80/tcp]\n"),
	  "10: vips[1].pool: missing; required here: name, addresses, services, pool" },
	{ "VIP name twice",
	  SECOND_VIP("    addresses: [192.0.2.2]\n    services: [443/tcp, 80/tcp]\n    pool: web\n"
	  "  - name: www\n    addresses: [192.0.2.3]\n    services: [80/tcp]\n    pool: web\n"),
	  "14: vips[2].name: www is vips[0]'s name too (line 6); names differ" },
	{ "instance starts with a dot", "instance: .hidden\n" REST, "1: instance: .hidden; " NAME_RULE },
	{ "instance with a dot", "instance: a.b\n" REST, "1: instance: a.b; " INSTANCE_RULE },
	{ "instance like a decapsulator's directory", "instance: decap-eth0\n" REST,
	  "1: instance: decap-eth0; " INSTANCE_RULE },
	{ "instance with a slash", "instance: a/b\n" REST, "1: instance: a/b; " NAME_RULE },
	{ "instance empty", "instance: \"\"\n" REST, "1: instance: \"\"; " NAME_RULE },
	{ "instance nothing", "instance:\n" REST, "1: instance: nothing; a single value is expected" },
	{ "instance of 64 characters",
	  "instance: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" REST,
	  "1: instance: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...; " NAME_RULE },
	{ "two devices", "devices: [eth0, eth1]\n" REST,
	  "1: devices[1]: eth1 is a second device; one device is supported" },
	{ "devices no list", "devices: eth0\n" REST, "1: devices: a single value; a list is expected" },
	{ "device name too long", "devices: [this-name-is-long]\n" REST,
	  "1: devices[0]: this-name-is-long; " DEVICE_RULE },
	{ "device name with a slash", "devices: [a/b]\n" REST, "1: devices[0]: a/b; " DEVICE_RULE },
	{ "hash key too short", "hash_key: 0123\n" REST, "1: hash_key: 0123; a key is 32 hexadecimal digits" },
	{ "hash key with a g", "hash_key: 0123456789abcdef0123456789abcdeg\n" REST,
	  "1: hash_key: 0123456789abcdef0123456789abcdeg; a key is 32 hexadecimal digits" },
	{ "source4 with host bits", "encapsulation: { source4: 172.16.0.1/16 }\n" REST,
	  "1: encapsulation.source4: 172.16.0.1/16 has bits set behind its length; " SOURCE4_RULE },
	{ "source4 too short", "encapsulation: { source4: 160.0.0.0/7 }\n" REST,
	  "1: encapsulation.source4: 160.0.0.0/7; " SOURCE4_RULE },
	{ "source4 of IPv6", "encapsulation: { source4: \"100::/64\" }\n" REST,
	  "1: encapsulation.source4: 100::/64; " SOURCE4_RULE },
	{ "source6 of IPv4", "encapsulation: { source6: 172.16.0.0/16 }\n" REST,
	  "1: encapsulation.source6: 172.16.0.0/16; " SOURCE6_RULE },
	{ "source6 too short", "encapsulation: { source6: \"100::/8\" }\n" REST,
	  "1: encapsulation.source6: 100::/8; " SOURCE6_RULE },
	{ "TTL 0", "encapsulation:\n  # none\n  source4: 172.16.0.0/16\n  ttl: 0\n" REST,
	  "4: encapsulation.ttl: 0; a TTL is 1 to 255" },
	{ "TTL 256", "encapsulation: { ttl: 256 }\n" REST, "1: encapsulation.ttl: 256; a TTL is 1 to 255" },
	{ "encapsulation nothing", "encapsulation:\n" REST,
	  "1: encapsulation: nothing; a mapping is expected, of: source4, source6, ttl" },
	{ "source4 multicast", "encapsulation: { source4: 224.0.0.0/8 }\n" REST,
	  "1: encapsulation.source4: 224.0.0.0/8 starts with a multicast address; a unicast prefix is expected" },
	{ "metrics by name", "metrics: localhost:9564\n" REST, "1: metrics: localhost:9564; " METRICS_RULE },
	{ "metrics without port", "metrics: 127.0.0.1\n" REST, "1: metrics: 127.0.0.1; " METRICS_RULE },
	{ "metrics IPv6 without brackets", "metrics: \"::1:9564\"\n" REST,
	  "1: metrics: ::1:9564; " METRICS_RULE },
	{ "metrics IPv6 without port", "metrics: \"[::1]\"\n" REST, "1: metrics: [::1]; " METRICS_RULE },
	{ "metrics port 0", "metrics: 127.0.0.1:0\n" REST, "1: metrics: 127.0.0.1:0; " METRICS_RULE },
	{ "metrics port 65536", "metrics: 127.0.0.1:65536\n" REST,
	  "1: metrics: 127.0.0.1:65536; " METRICS_RULE },
	{ "metrics IPv4 in brackets", "metrics: \"[127.0.0.1]:80\"\n" REST,
	  "1: metrics: [127.0.0.1]:80; " METRICS_RULE },
	{ "limits backends of 2^20", "limits: { backends: 1048576 }\n" REST,
	  "1: limits.backends: 1048576; this limit is 1 to 524287" },
	{ "limits vips of 65536", "limits: { vips: 65536 }\n" REST,
	  "1: limits.vips: 65536; this limit is 1 to 65535" },
	{ "limits cache no power of two", "limits: { cache: 1000 }\n" REST,
	  "1: limits.cache: 1000; a power of two from 64 to 65536 is expected" },
	{ "limits cache too small", "limits: { cache: 32 }\n" REST,
	  "1: limits.cache: 32; this limit is 64 to 65536" },
	{ "limits backends 0", "limits: { backends: 0 }\n" REST,
	  "1: limits.backends: 0; this limit is 1 to 524287" },
	{ "limits ring_words short by one", "limits: { ring_words: 131073 }\n" REST,
	  "1: limits.ring_words: 131073; this file needs at least 131074 ring words, two for each bucket" },
	{ "limits field misspelt", "limits: { vip: 1 }\n" REST,
	  "1: limits.vip: an unknown field, did you mean vips?; allowed here: vips, addresses, prefixes, "
	  "services, pools, backends, ring_words, cache" },
	{ "vips misspelt", "vip:\n" REST,
	  "1: vip: an unknown field, did you mean vips?; allowed here: " ROOT_FIELDS },
	{ "instance misspelt", "intance: x\n" REST,
	  "1: intance: an unknown field, did you mean instance?; allowed here: " ROOT_FIELDS },
	{ "list for a field name", "? [a]\n: b\n" REST,
	  "1: file: a list stands for a field's name; allowed here: " ROOT_FIELDS },
	{ "tab in the first line", "\tinstance: x\n" REST,
	  "1: YAML: a tab indents this line; YAML takes spaces only" },
	{ "tab before a field", "instance: x\n\tdevices: []\n" REST,
	  "2: YAML: a tab indents this line; YAML takes spaces only" },
	{ "tab in a mapping", "limits:\n\tvips: 5\n" REST,
	  "2: YAML: a tab indents this line; YAML takes spaces only" },
	{ "brace not closed", "limits: {vips: 5\n" REST,
	  "1: YAML: while parsing a flow mapping, did not find expected ',' or '}' (noticed in line 2); "
	  "valid YAML is expected" },
	{ "quote not closed", "instance: \"x\n" REST,
	  "1: YAML: while scanning a quoted scalar, found unexpected end of stream (noticed in line 11); "
	  "valid YAML is expected" },
	{ "colon missing", "instance x\n" REST,
	  "1: YAML: mapping values are not allowed in this context (noticed in line 2); valid YAML is expected" },
	{ "colon too many", "instance: a: b\n" REST,
	  "1: YAML: mapping values are not allowed in this context; valid YAML is expected" },
	{ "reserved character", "instance: @x\n" REST,
	  "1: YAML: while scanning for the next token, found character that cannot start any token; "
	  "valid YAML is expected" },
	{ "alias without anchor", "instance: *x\n" REST,
	  "1: YAML: found undefined alias; valid YAML is expected" },
	{ "anchor twice", "instance: &a x\nmetrics: &a y\n" REST,
	  "2: YAML: found duplicate anchor; first occurrence, second occurrence; valid YAML is expected" },
	{ "control character", "instance: \001\n" REST,
	  "1: YAML: control characters are not allowed; valid YAML is expected" },
	{ "YAML 3.0", "%YAML 3.0\n---\n" REST,
	  "1: YAML: found incompatible YAML document; valid YAML is expected" },
	{ "merge key", "<<: { a: b }\n" REST, "1: <<: an unknown field; allowed here: " ROOT_FIELDS },
	{ "empty file", "", "1: file: empty; a mapping with fields is expected" },
	{ "only a comment", "# only a comment\n", "1: file: empty; a mapping with fields is expected" },
	{ "only a document start", "---\n", "1: file: empty; a mapping with fields is expected" },
	{ "root a text", "just text\n", "1: file: a single value; a mapping is expected, of: " ROOT_FIELDS },
	{ "root a list", "- a\n- b\n", "1: file: a list; a mapping is expected, of: " ROOT_FIELDS },
	{ "vips missing", "pools: []\n", "1: vips: missing; required here: pools, vips" },
	{ "pools missing", "vips: []\n", "1: pools: missing; required here: pools, vips" },
	{ "second document", REST "---\n" REST, "11: file: a second document starts; one is allowed" },
	{ "instance three times", REST "instance: b\ninstance: c\n",
	  "11: instance: given again after line 10; a field is given once" },
	{ "pools nothing", "pools:\n" VIPS, "1: pools: nothing; a list is expected" },
	{ "pools an empty mapping", "pools: {}\n" VIPS, "1: pools: a mapping; a list is expected" },
	{ "pools a mapping", "pools:\n  a: b\n" VIPS, "1: pools: a mapping; a list is expected" },
	{ "pool empty", "pools:\n  - name: web\n    backends: []\n" VIPS,
	  "3: pools[0].backends: empty; a pool has at least one backend" },
	{ "pool with nothing for backends", "pools:\n  - name: web\n    backends:\n" VIPS,
	  "3: pools[0].backends: nothing; a list is expected" },
	{ "pool without backends", "pools:\n  - name: web\n" VIPS,
	  "2: pools[0].backends: missing; required here: name, backends" },
	{ "pool without a name", "pools:\n  - backends: [ {address: 10.0.0.1} ]\n" VIPS,
	  "2: pools[0].name: missing; required here: name, backends" },
	{ "pool name of another",
	  "pools:\n  - name: web\n    backends: [ {address: 10.0.0.1} ]\n  - name: api\n"
	  "    backends: [ {address: 10.0.0.1} ]\n  - name: web\n    backends: [ {address: 10.0.0.1} ]\n" VIPS,
	  "6: pools[2].name: web is pools[0]'s name too (line 2); names differ" },
	{ "more backends than the limit",
	  "limits:\n  cache: 64\n  backends: 1\npools:\n  - name: web\n    backends: [ {address: 10.0.0.1}, "
	  "{address: 10.0.0.2} ]\n" VIPS,
	  "3: limits.backends: 1; this file needs at least 2 backends" },
	{ "ring size too small for its backends",
	  "pools:\n  - name: web\n    ring_size: 251\n    backends:\n" TWENTY_SIX_BACKENDS VIPS,
	  "3: pools[0].ring_size: 251 for 26 backends; at least 10 for each, a prime, such as 263" },
	{ "more ring words than the default", SEVENTEEN_POOLS,
	  "1: pools: 2228258 ring words, two for each bucket; limits.ring_words is 2097184, its default" },
	{ "list that holds itself", "pools: &p [*p]\nvips: []\n",
	  "1: pools[0]: a list; a mapping is expected, of: name, ring_size, backends" },
	{ "list inside itself as backends", "pools: &p\n  - { name: a, backends: *p }\nvips: []\n",
	  "2: pools[0].backends[0].name: an unknown field; allowed here: address, weight, state" },
	{ "unknown field with an anchor",
	  "a: &a [x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x]\npools: []\nvips: []\n",
	  "1: a: an unknown field; allowed here: " ROOT_FIELDS },
	{ "alias of a value",
	  "hash_key: &key 0123456789abcdef0123456789abcdef\npools:\n  - name: web\n    ring_size: *key\n"
	  "    backends: [ address: 10.0.0.1 ]\nvips: []\n",
	  "4: pools[0].ring_size: 0123456789abcdef0123456789abcdef; a ring size, a prime, is 251 to 16777213" },
	{ "field indented too far", "pools:\n  - name: web\n     backends: []\nvips: []\n",
	  "3: YAML: mapping values are not allowed in this context; valid YAML is expected" },
	{ "field indented too little", "pools:\n  - name: web\n   backends: []\nvips: []\n",
	  "3: YAML: while parsing a block collection, did not find expected '-' indicator; "
	  "valid YAML is expected" },
	{ "backend twice, with comments between",
	  "# a comment\n\npools:\n  - name: web\n    # another\n    backends:\n      # and one\n"
	  "      - address: 10.0.0.1\n\n      - address: 10.0.0.1\nvips: []\n",
	  "10: pools[0].backends[1].address: 10.0.0.1 is in this pool twice (line 8); "
	  "a backend is in a pool once" },
	{ "no UTF-8", "pools: []\nvips: []\nmetrics: \377\n",
	  "3: YAML: invalid leading UTF-8 octet; valid YAML is expected" },
	{ "bracket closed by a brace", "instance: [a, b}\n" REST,
	  "1: YAML: while parsing a flow sequence, did not find expected ',' or ']'; valid YAML is expected" },
	{ "last field without a colon", "pools: []\nvips: []\ninstance",
	  "3: YAML: while scanning a simple key, could not find expected ':' (noticed in line 4); "
	  "valid YAML is expected" },
	{ "more vips than the limit", "limits: { vips: 1 }\n" TWO_OF_EACH,
	  "1: limits.vips: 1; this file needs at least 2 VIPs" },
	{ "more addresses than the limit", "limits: { addresses: 1 }\n" TWO_OF_EACH,
	  "1: limits.addresses: 1; this file needs at least 2 single addresses" },
	{ "more prefixes than the limit", "limits: { prefixes: 1 }\n" TWO_OF_EACH,
	  "1: limits.prefixes: 1; this file needs at least 2 prefixes" },
	{ "more services than the limit", "limits: { services: 1 }\n" TWO_OF_EACH,
	  "1: limits.services: 1; this file needs at least 5 services, addresses times their ports" },
	{ "more pools than the limit", "limits: { pools: 1 }\n" TWO_OF_EACH,
	  "1: limits.pools: 1; this file needs at least 2 pools" },
	{ "more backends in two pools than the limit", "limits: { backends: 1 }\n" TWO_OF_EACH,
	  "1: limits.backends: 1; this file needs at least 2 backends" },
};

#endif
