// SPDX-License-Identifier: GPL-2.0-only
/* What `tailrace decap` prints: for people, and as JSON. */
#include "decap_status.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

#include "addr.h"

static const struct {
	const char *name, *help;
} verdict_texts[] = {
#define X(NAME, name, action, help) [TR_D_##NAME] = { #name, help },
	TR_DECAP_VERDICTS(X)
#undef X
};

struct status {
	struct decap_attachment at[2];		/* XDP, tc */
	struct decap_list lists[DECAP_LISTS];
	uint64_t verdicts[TR_D_COUNT];
};

static void status_release(struct status *s)
{
	for (enum decap_map map = 0; map < DECAP_LISTS; map++)
		decap_list_free(&s->lists[map]);
}

static int read_status(const struct decap *decap, struct status *ret)
{
	int err = decap_attached(decap, &ret->at[0], &ret->at[1]);

	for (enum decap_map map = 0; map < DECAP_LISTS && !err; map++)
		err = decap_read_list(decap, map, &ret->lists[map]);
	return err ? err : decap_read_verdicts(decap, ret->verdicts);
}

static const char *program_of(const struct decap_attachment *at)
{
	return at->mode == DECAP_TC ? "tr_decap_tc" : "tr_decap_xdp";
}

static const char *means_of(const struct decap_attachment *at)
{
	if (at->mode == DECAP_TC)
		return "tc filter";
	return at->link_id ? "bpf_link" : "netlink, not ours";
}

static void print_attachments(const struct decap *decap, const struct status *s, FILE *to)
{
	bool any = false;

	for (int i = 0; i < 2; i++) {
		const struct decap_attachment *at = &s->at[i];

		if (at->mode == DECAP_DETACHED)
			continue;
		fprintf(to, "%s: %s (id %u) attached, mode %s, by %s\n", decap->device, program_of(at),
			at->program_id, decap_mode_name(at->mode), means_of(at));
		any = true;
	}
	if (!any)
		fprintf(to, "%s: loaded, not attached by tailrace\n", decap->device);
	fprintf(to, "  pinned in %s\n", decap->dir);
}

static void print_lists(const struct status *s, FILE *to)
{
	char text[ADDR_TEXT_MAX];

	for (enum decap_map map = 0; map < DECAP_LISTS; map++) {
		fprintf(to, "  %-10s", decap_map_name(map));
		for (size_t i = 0; i < s->lists[map].n; i++)
			fprintf(to, " %s", addr_format_prefix(&s->lists[map].entries[i], text));
		fputc('\n', to);
	}
}

static void print_verdicts(const struct status *s, FILE *to)
{
	fprintf(to, "\n%-18s %14s  %s\n", "verdict", "packets", "meaning");
	for (int v = 0; v < TR_D_COUNT; v++)
		fprintf(to, "%-18s %14" PRIu64 "  %s\n", verdict_texts[v].name, s->verdicts[v],
			verdict_texts[v].help);
}

static json_t *json_attachments(const struct status *s)
{
	json_t *all = json_array();

	for (int i = 0; i < 2; i++) {
		const struct decap_attachment *at = &s->at[i];

		if (at->mode == DECAP_DETACHED)
			continue;
		json_array_append_new(all, json_pack("{s:s, s:s, s:I, s:I}", "mode", decap_mode_name(at->mode),
						     "program", program_of(at), "id", (json_int_t)at->program_id,
						     "link", (json_int_t)at->link_id));
	}
	return all;
}

static json_t *json_list(const struct decap_list *list)
{
	char text[ADDR_TEXT_MAX];
	json_t *all = json_array();

	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(all, json_string(addr_format_prefix(&list->entries[i], text)));
	return all;
}

static int print_json(const struct decap *decap, const struct status *s, FILE *to)
{
	json_t *verdicts = json_object(), *root;
	int err;

	for (int v = 0; v < TR_D_COUNT; v++)
		json_object_set_new(verdicts, verdict_texts[v].name, json_integer(s->verdicts[v]));
	root = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "device", decap->device, "pin", decap->dir,
			 "attached", json_attachments(s),
			 "addresses", json_list(&s->lists[DECAP_ADDRESSES]),
			 "vips", json_list(&s->lists[DECAP_VIPS]),
			 "sources", json_list(&s->lists[DECAP_SOURCES]),
			 "verdicts", verdicts);
	if (!root)
		return -ENOMEM;
	err = json_dumpf(root, to, JSON_INDENT(2)) ? -EIO : 0;
	fputc('\n', to);
	json_decref(root);
	return err;
}

int decap_print_summary(const struct decap *decap, FILE *to)
{
	struct status s = {};
	int err = read_status(decap, &s);

	if (!err) {
		print_attachments(decap, &s, to);
		print_lists(&s, to);
	}
	status_release(&s);
	return err;
}

int decap_print_status(const struct decap *decap, bool json, FILE *to)
{
	struct status s = {};
	int err = read_status(decap, &s);

	if (!err && json)
		err = print_json(decap, &s, to);
	else if (!err) {
		print_attachments(decap, &s, to);
		print_lists(&s, to);
		print_verdicts(&s, to);
	}
	status_release(&s);
	return err;
}
