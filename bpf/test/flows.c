// SPDX-License-Identifier: GPL-2.0-only
/* See trial.h: flows and the invariant. Where a flow is connected comes from the program's own answers, never from the model. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>

#include "trial.h"

#define CLIENTS 40

static __u32 min(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

static struct tr_addr client_of(__u32 i, bool v4)
{
	static const struct tr_addr first4 = ADDR4(203, 0, 0, 0), first6 = ADDR6(0x20010db8, 0xffff, 0, 0);
	struct tr_addr addr = v4 ? first4 : first6;

	addr.w[3] |= htonl(1 + i);
	return addr;
}

static struct tr_addr vip_of(bool v4)
{
	static const struct tr_addr vip4 = ADDR4(192, 0, 2, 10), vip6 = ADDR6(0x20010db8, 0, 0, 0x10);

	return v4 ? vip4 : vip6;
}

static void build_frame(const struct model_packet *p, enum model_kind kind, bool with_ack, struct flow_frame *ret)
{
	static const __u8 flags[MODEL_KINDS] = { [MODEL_SYN] = TCP_SYN, [MODEL_DATA] = TCP_ACK | TCP_PSH,
						 [MODEL_FIN] = TCP_FIN | TCP_ACK };
	struct packet_shape shape = { .src = p->src, .dst = p->dst, .sport = p->sport, .dport = p->dport, .payload = 4 };
	struct packet packet;

	shape.proto = kind == MODEL_DATAGRAM ? IPPROTO_UDP : IPPROTO_TCP;
	shape.tcp_flags = flags[kind] | (with_ack ? TCP_SYN : 0);
	packet_build(&packet, &shape);
	assert(packet.len <= sizeof(ret->data));
	ret->len = packet.len;
	memcpy(ret->data, packet.data, packet.len);
}

static void build_frames(struct flow *f)
{
	enum model_kind kind;

	if (f->packet.kind == MODEL_DATAGRAM) {
		build_frame(&f->packet, MODEL_DATAGRAM, false, &f->frames[MODEL_DATAGRAM]);
		return;
	}
	for (kind = MODEL_SYN; kind <= MODEL_FIN; kind++)
		build_frame(&f->packet, kind, false, &f->frames[kind]);
}

void flows_begin(struct trial *t)
{
	__u32 i;

	memset(t->flows, 0, sizeof(t->flows));
	for (i = 0; i < t->shape.flows; i++) {
		struct flow *f = &t->flows[i];
		bool v4 = i % 3 != 1;

		f->packet = (struct model_packet){ client_of(i * 7 % CLIENTS, v4), vip_of(v4), 10000 + i, 0,
						   1 + i % (t->shape.n_vips - 1), i % 4 == 3 ? MODEL_DATAGRAM : MODEL_DATA };
		f->packet.dport = TRIAL_PORT + f->packet.vip;
		build_frames(f);
	}
}

/* What the flow is promised from now on: so many ticks of silence. */
static __u32 silence_of(const struct trial *t, const struct model_packet *p, bool closed)
{
	const struct tr_pool_times *times = &t->real.pools[t->real.vips[p->vip].pool].times;

	if (p->kind == MODEL_DATAGRAM)
		return times->udp;
	return min(times->settle, closed ? times->linger + 1 : times->life + 1);
}

static void end_flow(struct trial *t, struct flow *f, enum trial_end end)
{
	t->counts.ends[end]++;
	f->state = FLOW_CLOSED;
}

void flows_backend_down(struct trial *t, __u32 backend)
{
	__u32 i;

	for (i = 0; i < t->shape.flows; i++)
		if (t->flows[i].state != FLOW_CLOSED && t->flows[i].backend == backend)
			end_flow(t, &t->flows[i], END_BACKEND_DOWN);
}

void flows_vip_changed(struct trial *t, __u32 vip, enum trial_end end)
{
	__u32 i;

	for (i = 0; i < t->shape.flows; i++) {
		struct flow *f = &t->flows[i];

		if (f->packet.vip != vip || f->state == FLOW_CLOSED)
			continue;
		if (end == END_VIP_GONE) {
			end_flow(t, f, end);
			continue;
		}
		f->silence = min(f->silence, silence_of(t, &f->packet, f->is_closed));
		if (end != END_COUNT)
			f->is_excused[end] = true;
		f->is_excused[END_RING] |= f->on_ring;
	}
}

/* Is there another flow of the same two addresses, now or before long? */
static bool is_shared(const struct trial *t, const struct flow *f)
{
	__u32 i;

	for (i = 0; i < t->shape.flows; i++) {
		const struct flow *other = &t->flows[i];

		if (other != f && other->packet.vip == f->packet.vip && model_l4(other->packet.kind) == model_l4(f->packet.kind) &&
		    !memcmp(&other->packet.src, &f->packet.src, sizeof(f->packet.src)))
			return true;
	}
	return false;
}

void flows_vip_joins(struct trial *t, __u32 vip)
{
	__u32 i;

	for (i = 0; i < t->shape.flows; i++)
		if (t->flows[i].packet.vip == vip && is_shared(t, &t->flows[i]))
			t->flows[i].is_excused[END_JOINED] = true;
}

static void note_evicted(struct trial *t, const struct model_answer *answer)
{
	enum trial_end end = answer->evicted_tier == TR_TIER_SYN ? END_EVICTED_SYN : END_EVICTED_TRACK;
	__u32 i;

	for (i = 0; answer->is_evicted && i < t->shape.flows; i++) {
		struct flow *f = &t->flows[i];

		if (f->state != FLOW_CLOSED && f->key == answer->evicted.key)
			f->is_excused[end] = true;
	}
}

static bool fail_flows(struct trial *t, const struct model_answer *answer, int backend)
{
	__u32 i;

	for (i = 0; i < TR_SET_SLOTS * t->n_sets; i++) {
		const struct tr_record *program = &t->real.flows[i / TR_SET_SLOTS].slots[i % TR_SET_SLOTS];
		const struct tr_record *model = &t->shadow->view.flows[i / TR_SET_SLOTS].slots[i % TR_SET_SLOTS];

		if (memcmp(program, model, sizeof(*program)))
			break;
	}
	return trial_fail(t, "left behind: flows differ in set %u (key %016llx, backend %d): the program has %016llx -> %011llx, the model "
			  "%016llx -> %011llx", i / TR_SET_SLOTS, answer->key, backend,
			  t->real.flows[i / TR_SET_SLOTS].slots[i % TR_SET_SLOTS].key,
			  t->real.flows[i / TR_SET_SLOTS].slots[i % TR_SET_SLOTS].value,
			  t->shadow->view.flows[i / TR_SET_SLOTS].slots[i % TR_SET_SLOTS].key,
			  t->shadow->view.flows[i / TR_SET_SLOTS].slots[i % TR_SET_SLOTS].value);
}

static bool same_choice(struct trial *t, int backend, const struct model_answer *answer)
{
	const char *part;

	if (backend != (int)answer->backend)
		return trial_fail(t, "choice: the program says %d, the model %u (key %016llx, now %u)", backend, answer->backend,
				  answer->key, t->now);
	part = memory_differs(&t->real, &t->shadow->view, t->n_sets);
	if (part && !strcmp(part, "flows"))
		return fail_flows(t, answer, backend);
	return !part || trial_fail(t, "left behind: %s differ (key %016llx, backend %d)", part, answer->key, backend);
}

/* A packet through the program and through the model. */
static bool run(struct trial *t, const struct model_packet *p, const struct flow_frame *frame, struct model_answer *ret)
{
	struct model_answer own;
	int backend;

	model_choose(&t->shadow->view, p, true, ret);
	if (t->program) {
		backend = t->program->choose(t->program->arg, frame->data, frame->len);
	} else {
		model_choose(&t->real, p, true, &own);
		backend = own.backend;
	}
	t->counts.packets++;
	t->counts.modes[t->real.vips[p->vip].how & TR_HOW_MODE]++;
	t->counts.moving += t->real.vips[p->vip].how >> 8 & 1;
	t->counts.by_addresses += !!(t->real.vips[p->vip].how & TR_HOW_ADDRESSES);
	note_evicted(t, ret);
	return same_choice(t, backend, ret);
}

static bool is_gone(const struct trial *t, __u32 vip)
{
	return !t->real.vips[vip].ring_size;
}

/* What may still break the flow although it was seen just now: it stands nowhere but in a word that is not watched. */
static void note_guard(struct trial *t, struct flow *f, const struct model_answer *answer)
{
	const struct tr_vip *vip = &t->real.vips[f->packet.vip];
	__u16 old = t->real.vip_old[f->packet.vip].how & TR_HOW_MODE, mode = vip->how & TR_HOW_MODE;
	bool unwatched = vip->how & TR_HOW_MOVING && (old == TR_MODE_HASH || old == TR_MODE_TRACK) && !answer->recorded;
	/* For want of room it has no record, and goes where one of another flow of the two addresses says. */
	bool joins = vip->how & TR_HOW_MOVING && vip->how & TR_HOW_ADDRESSES && !answer->recorded;
	bool was_silent = f->is_excused[END_SILENT] && !answer->recorded;

	if (!unwatched)
		memset(f->is_excused, 0, sizeof(f->is_excused));
	f->is_excused[END_SILENT] = was_silent;
	f->is_excused[END_JOINED] |= joins;
	if (mode == TR_MODE_HASH || unwatched)
		f->is_excused[END_HASH] = true;
}

static void begin(struct trial *t, struct flow *f, enum flow_state state, const struct model_answer *answer)
{
	f->backend = answer->backend;
	f->is_excused[END_SILENT] = false;
	f->state = model_ok(&t->real, answer->backend) ? state : FLOW_CLOSED;
	t->counts.begun += answer->backend != 0;
	t->counts.refused_no_backend += !answer->backend;
}

static void syn(struct trial *t, struct flow *f, const struct model_answer *answer)
{
	bool again = f->state == FLOW_BEGUN && model_ok(&t->real, f->backend) &&
		     t->now - f->last < t->real.pools[t->real.vips[f->packet.vip].pool].times.syn;

	t->counts.retried += again;
	t->counts.retried_elsewhere += again && f->backend != answer->backend;
	begin(t, f, FLOW_BEGUN, answer);
}

/* The invariant. */
static bool follow(struct trial *t, struct flow *f, const struct model_answer *answer)
{
	bool udp = f->packet.kind == MODEL_DATAGRAM, silent = t->now - f->last >= f->silence;
	enum trial_end end = silent ? END_SILENT : 0;

	if (f->state == FLOW_CLOSED) {
		t->counts.strays += !udp;
		if (udp)
			begin(t, f, FLOW_OPEN, answer);
		return true;
	}
	if (f->backend == answer->backend) {
		t->counts.kept++;
		f->is_excused[END_SILENT] |= silent;
		f->state = FLOW_OPEN;
		return true;
	}
	while (!silent && end < END_COUNT && !f->is_excused[end])
		end++;
	if (end == END_COUNT)
		return trial_fail(t, "moved: a live flow of backend %u went to %u, last seen %u ago (key %016llx)", f->backend,
				  answer->backend, t->now - f->last, answer->key);
	end_flow(t, f, end);
	if (udp)
		begin(t, f, FLOW_OPEN, answer);
	return true;
}

static void trace(const struct trial *t, const struct flow *f, const struct model_packet *p, const struct model_answer *answer)
{
	const struct tr_vip *vip = &t->real.vips[p->vip];
	__u32 index = vip->ring + model_l4(p->kind) * vip->ring_size + model_bucket(answer->key, vip->ring_size);
	__u64 word = t->real.rings[index];

	fprintf(stderr, "#     %u: flow %td of VIP %u, packet %d -> %u%s; its backend %u; word %u: %u %u %u%s%s; VIP: pool %u how %x\n", t->now,
		f - t->flows, p->vip, p->kind, answer->backend, answer->recorded ? ", recorded" : "", f->backend, index,
		word_current(word), word_base(word), word_prev(word), word & TR_WORD_LOOK ? " look" : "",
		word & TR_WORD_REC ? " rec" : "", vip->pool, vip->how);
}

bool flows_packet(struct trial *t, const struct trial_step *step)
{
	struct flow *f = &t->flows[step->a % t->shape.flows];
	struct model_packet p = f->packet;
	struct model_answer answer;

	if (is_gone(t, p.vip))
		return true;
	if (p.kind != MODEL_DATAGRAM)
		p.kind = step->b % MODEL_DATAGRAM;
	if (step->c && (p.kind == MODEL_SYN || p.kind == MODEL_DATAGRAM)) {
		p.sport = f->packet.sport = step->c;
		f->state = FLOW_CLOSED;
		build_frames(f);
		t->counts.renewed++;
	}
	if (!run(t, &p, &f->frames[p.kind], &answer))
		return false;
	if (t->trace)
		trace(t, f, &p, &answer);
	if (p.kind == MODEL_SYN)
		syn(t, f, &answer);
	else if (!follow(t, f, &answer))
		return false;
	f->last = t->now;
	f->key = answer.key;
	f->on_ring = answer.on_ring;
	f->is_closed = p.kind == MODEL_FIN || (f->is_closed && p.kind != MODEL_SYN);
	f->silence = silence_of(t, &f->packet, f->is_closed);
	note_guard(t, f, &answer);
	f->is_excused[END_RING] |= f->on_ring;
	return true;
}

bool flows_peek(struct trial *t, const struct trial_step *step)
{
	struct flow *f = &t->flows[step->a % t->shape.flows];
	struct model_packet p = f->packet;
	struct model_answer answer;
	int backend;

	if (is_gone(t, p.vip) || !t->program || !t->program->peek)
		return true;
	if (p.kind != MODEL_DATAGRAM)
		p.kind = step->b % MODEL_DATAGRAM;
	model_choose(&t->shadow->view, &p, false, &answer);
	backend = t->program->peek(t->program->arg, f->frames[p.kind].data, f->frames[p.kind].len);
	return same_choice(t, backend, &answer);
}

bool flows_flood(struct trial *t, const struct trial_step *step)
{
	struct rng rng = rng_new(step->d);
	struct model_answer answer;
	struct flow_frame frame;
	__u32 i;

	for (i = 0; i < step->c; i++) {
		bool v4 = rng_chance(&rng, 70), with_ack = step->a % 3 == 1;
		struct model_packet p = { client_of(CLIENTS + rng_below(&rng, 60000), v4), vip_of(v4), 1 + rng_below(&rng, 65535),
					  0, 1 + step->b % (t->shape.n_vips - 1),
					  step->a % 3 == 2 ? MODEL_DATAGRAM : with_ack ? MODEL_DATA : MODEL_SYN };

		p.dport = TRIAL_PORT + p.vip;
		if (is_gone(t, p.vip))
			return true;
		build_frame(&p, p.kind, with_ack, &frame);
		if (!run(t, &p, &frame, &answer))
			return false;
	}
	return true;
}
