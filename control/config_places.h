/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A YAML document with the places of its values, and the one error message that reading it may end with. A path names
 * a value: "pools[0].backends[2].weight". Internal to config*.c.
 */
#ifndef TAILRACE_CONFIG_PLACES_H
#define TAILRACE_CONFIG_PLACES_H

#include <stddef.h>

#include <yaml.h>

struct places {
	const char *file;		/* as messages name it */
	yaml_document_t document;
	char *message;			/* the error; NULL: none */
};

/* text: not kept. 0; -EINVAL when it is no YAML or no single document, -ENOMEM. Close it in any case. */
int places_open(struct places *places, const char *file, const char *text, size_t len);
void places_close(struct places *places);

yaml_node_t *places_root(struct places *places);
yaml_node_t *places_node(struct places *places, int id);

/* The line of a value, from 1; of a list or mapping that a field has, the field's; of what is missing, its parent's. */
size_t places_line(struct places *places, const char *path);

/* Sets the message, "FILE:LINE: PATH: TEXT", and returns -EINVAL (or -ENOMEM). */
__attribute__((format(printf, 3, 4))) int places_wrong(struct places *places, const char *path, const char *fmt, ...);
__attribute__((format(printf, 4, 5))) int places_wrong_in_line(struct places *places, size_t line, const char *path,
							       const char *fmt, ...);

/* Both return text by value, for use within one expression: places_wrong(p, path_of("vips[%zu]", i).text, ...). */
struct path {
	char text[256];
};
__attribute__((format(printf, 1, 2))) struct path path_of(const char *fmt, ...);

/* What the operator wrote, fit for a message: one line, no control characters, cut when it is long. */
struct shown {
	char text[64];
};
struct shown shown(const char *text);

#endif
