/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets to start from: those of the table tests, captures of real senders (corpus/), and every packet on which
 * programs and reference ever differed (corpus/failed/).
 */
#ifndef TAILRACE_TEST_CORPUS_H
#define TAILRACE_TEST_CORPUS_H

#include "mutate.h"
#include "packet.h"

struct corpus {
	struct packet *packets;
	size_t n, room;
	size_t n_tables, n_captured, n_failed;
};

/* Finds its files from where the running program stands. Ends the process where they cannot be read. */
struct corpus *corpus_load(void);
void corpus_free(struct corpus *corpus);
void corpus_pick(const struct corpus *corpus, struct rng *rng, struct packet *ret);

/* As a file in a folder, named by what is in it; why: one line. 0 or -errno. */
int corpus_save(const char *folder, const struct packet *packet, const char *why);

#endif
