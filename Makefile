# SPDX-License-Identifier: GPL-2.0-only
# make            build/tailrace, the one binary (BPF objects inside)
# make demo       what testenv/demo does        make test       what testenv/test does
# make test-unit  needs no root                 make test-packet, make test-e2e  need root
# make bench      nanoseconds a packet, as multiples of the floor
# make install    PREFIX=/usr/local DESTDIR=    V=1 shows the commands
# Files are found by where they stand: control/*.c is the controller, control/test/test_*.c a unit test each,
# bpf/*.bpf.c a BPF object each, bpf/test/test_*.c a packet test each, tools/*.c and testenv/*.c a helper program each.

CC = gcc
CLANG = clang
BPFTOOL = /usr/sbin/bpftool
PREFIX = /usr/local
B = build
Q = $(if $(V),,@)
say = @printf '  %-8s%s\n' '$(1)' '$(2)'

VERSION = 0.1
PKGS = libbpf libmnl libcyaml yaml-0.1 jansson libmicrohttpd libsystemd libxxhash
CFLAGS = -O2 -g -std=gnu11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
CPPFLAGS = -D_GNU_SOURCE -DTAILRACE_VERSION='"$(VERSION)"' -Ibpf -Icontrol -I$(B) $(shell pkg-config --cflags $(PKGS))
LDLIBS = $(shell pkg-config --libs $(PKGS))
ARCH_INCLUDE = /usr/include/$(shell $(CC) -dumpmachine)
# -g: BTF and, from it, the verifier log's source lines. v3: 6.1 refuses v4's instructions.
BPF_CFLAGS = -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -Ibpf -I$(ARCH_INCLUDE)

# maps first and the entry next: bpftool's linker wants the maps' definitions before their users, and iproute2's
# "sec xdp" takes the first program of the section.
DATAPATH = maps entry tcp udp any fragment icmp send too_big clock
DATAPATH_OBJS = $(DATAPATH:%=$(B)/bpf/%.bpf.o)
OBJECTS = $(B)/tailrace.bpf.o $(B)/decap.bpf.o
SKELS = $(OBJECTS:.bpf.o=.skel.h)

CONTROL_SRCS = $(wildcard control/*.c)
CONTROL_OBJS = $(CONTROL_SRCS:%.c=$(B)/%.o)
LIB_OBJS = $(filter-out $(B)/control/main.o,$(CONTROL_OBJS))
UNIT_TESTS = $(patsubst %.c,$(B)/%,$(wildcard control/test/test_*.c))
UNIT_OBJS = $(patsubst %.c,$(B)/%.o,$(filter-out control/test/test_%,$(wildcard control/test/*.c)))
PACKET_TESTS = $(patsubst %.c,$(B)/%,$(wildcard bpf/test/test_*.c))
PACKET_OBJS = $(patsubst %.c,$(B)/%.o,$(filter-out bpf/test/test_% %.bpf.c,$(wildcard bpf/test/*.c)))
TOOL_BPF = $(patsubst %.bpf.c,$(B)/%.skel.h,$(wildcard tools/*.bpf.c bpf/test/*.bpf.c testenv/*.bpf.c))
PRELOAD = $(B)/testenv/kill_at.so
TOOLS = $(patsubst %.c,$(B)/%,$(filter-out %.bpf.c testenv/kill_at.c,$(wildcard tools/*.c testenv/*.c)))

all: $(B)/tailrace $(OBJECTS)
tests: $(UNIT_TESTS) $(PACKET_TESTS) $(TOOLS) $(PRELOAD) all
tools: $(TOOLS) all

$(B)/tailrace: $(CONTROL_OBJS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/libcontrol.a: $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/%.o: %.c | $(SKELS) $(TOOL_BPF)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/%.bpf.o: %.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

# Both pass through bpftool's linker: it strips the debug sections that the binary need not carry.
$(B)/tailrace.bpf.o: $(DATAPATH_OBJS)
	$(call say,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^
$(B)/decap.bpf.o: $(B)/bpf/decap.bpf.o
	$(call say,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(B)/%.skel.h: $(B)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$(notdir $*))_bpf > $@.tmp && mv $@.tmp $@

$(UNIT_TESTS): $(B)/%: $(B)/%.o $(UNIT_OBJS) $(B)/libcontrol.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
$(PACKET_TESTS): $(B)/%: $(B)/%.o $(PACKET_OBJS) $(B)/libcontrol.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS) -lcmocka -lpcap
$(TOOLS): $(B)/%: $(B)/%.o $(B)/libcontrol.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS) -lm
$(PRELOAD): $(B)/%.so: %.c
	$(call say,SO,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE $(CFLAGS) -fPIC -shared -o $@ $<
$(B)/tools/bench: $(patsubst %.c,$(B)/%.o,$(wildcard tools/measure/*.c))

test-unit: $(UNIT_TESTS)
	testenv/run-tests unit
test-packet: tests
	testenv/run-tests packet
test-e2e: tests
	testenv/run-tests e2e
test:
	testenv/test
demo:
	testenv/demo
bench: tools
	$(B)/tools/bench

install: all
	install -D -m 755 $(B)/tailrace $(DESTDIR)$(PREFIX)/sbin/tailrace
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 docs/tailrace.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/tailrace docs/*.md docs/example.yaml docs/tailrace.service

# The packages stay: testenv/install would fetch them again.
clean:
	rm -rf $(filter-out $(B)/unpacked,$(wildcard $(B)/*))

.PHONY: all tests tools test-unit test-packet test-e2e test demo bench install clean
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(B) -name '*.d' -not -path '$(B)/unpacked/*' 2>/dev/null)
