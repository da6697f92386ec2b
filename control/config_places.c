// SPDX-License-Identifier: GPL-2.0-only
/* libyaml's document and its marks; see config_places.h. Knows nothing of the configuration's fields. */
#include "config_places.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Beyond these libyaml's time grows with the square of the file. A configuration needs 5 levels. */
#define NESTING_MAX 32
#define ANCHORS_MAX 1000

struct path path_of(const char *fmt, ...)
{
	struct path path;
	va_list args;

	va_start(args, fmt);
	vsnprintf(path.text, sizeof(path.text), fmt, args);
	va_end(args);
	return path;
}

struct shown shown(const char *text)
{
	struct shown s = {};
	size_t room = sizeof(s.text) - sizeof("..."), len = strlen(text);

	if (!len)
		return (struct shown){ "\"\"" };
	if (len > room) {
		/* not through the middle of a UTF-8 character */
		for (len = room; len && (text[len] & 0xc0) == 0x80; len--)
			;
		strcpy(s.text + len, "...");
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = text[i];
		/* U+0080 to U+009F control terminals just as the ASCII ones do */
		bool c1 = c >= 0x80 && c < 0xa0 && i && (unsigned char)text[i - 1] == 0xc2;

		s.text[i] = c < 0x20 || c == 0x7f || c1 ? '?' : c;
		if (c1)
			s.text[i - 1] = '?';
	}
	return s;
}

static int set_message(struct places *places, size_t line, const char *path, const char *fmt, va_list args)
{
	_cleanup_free_ char *text = NULL;
	char *message;

	if (vasprintf(&text, fmt, args) < 0) {
		text = NULL;
		return -ENOMEM;
	}
	if (asprintf(&message, "%s:%zu: %s: %s", places->file, line, path, text) < 0)
		return -ENOMEM;
	free(places->message);
	places->message = message;
	return -EINVAL;
}

int places_wrong(struct places *places, const char *path, const char *fmt, ...)
{
	va_list args;
	int err;

	va_start(args, fmt);
	err = set_message(places, places_line(places, path), path, fmt, args);
	va_end(args);
	return err;
}

int places_wrong_in_line(struct places *places, size_t line, const char *path, const char *fmt, ...)
{
	va_list args;
	int err;

	va_start(args, fmt);
	err = set_message(places, line, path, fmt, args);
	va_end(args);
	return err;
}

yaml_node_t *places_root(struct places *places)
{
	return yaml_document_get_root_node(&places->document);
}

yaml_node_t *places_node(struct places *places, int id)
{
	return yaml_document_get_node(&places->document, id);
}

static yaml_node_t *find_item(struct places *places, yaml_node_t *list, size_t index)
{
	if (list->type != YAML_SEQUENCE_NODE)
		return NULL;
	if (index >= (size_t)(list->data.sequence.items.top - list->data.sequence.items.start))
		return NULL;
	return places_node(places, list->data.sequence.items.start[index]);
}

static const yaml_node_pair_t *find_pair(struct places *places, yaml_node_t *mapping, const char *name, size_t len)
{
	if (mapping->type != YAML_MAPPING_NODE)
		return NULL;
	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
	     pair < mapping->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = places_node(places, pair->key);

		if (key->type == YAML_SCALAR_NODE && key->data.scalar.length == len &&
		    !memcmp(key->data.scalar.value, name, len))
			return pair;
	}
	return NULL;
}

/* A block list starts a line below its field's name; an alias's node stands where its anchor is: then the name's. */
static size_t field_line(const yaml_node_t *key, const yaml_node_t *value)
{
	if (value->type == YAML_SCALAR_NODE && value->start_mark.index > key->start_mark.index)
		return value->start_mark.line;
	return key->start_mark.line;
}

size_t places_line(struct places *places, const char *path)
{
	yaml_node_t *node = places_root(places);
	size_t line = node->start_mark.line;

	while (node && *path) {
		if (*path == '[') {
			node = find_item(places, node, strtoul(path + 1, NULL, 10));
			if (node)
				line = node->start_mark.line;
			path += strcspn(path, "]");
			path += *path == ']';
		} else {
			size_t len = strcspn(path += *path == '.', ".[");
			const yaml_node_pair_t *pair = find_pair(places, node, path, len);

			node = pair ? places_node(places, pair->value) : NULL;
			if (node)
				line = field_line(places_node(places, pair->key), node);
			path += len;
		}
	}
	return line + 1;
}

/* A copy of a line, from 1, without its end; NULL when there is none (or no memory: only hints depend on it). */
static char *copy_line(const char *text, size_t len, size_t line)
{
	const char *end = text + len, *newline;

	while (line-- > 1) {
		text = memchr(text, '\n', end - text);
		if (!text++)
			return NULL;
	}
	newline = memchr(text, '\n', end - text);
	return strndup(text, (newline ?: end) - text);
}

/*
 * A field without its colon reads as text that goes on in the next line, whose colon then is one too many. A line that
 * has a colon of its own is innocent: there the next line's indentation is wrong.
 */
static bool lacks_colon(const char *text, size_t len, size_t line)
{
	_cleanup_free_ char *copy = copy_line(text, len, line);
	const char *last;

	if (!copy)
		return false;
	last = copy + strcspn(copy, "#");
	while (last > copy && strchr(" \t\r", last[-1]))
		last--;
	return last > copy && last[-1] != ':' && !strstr(copy, ": ");
}

/* Where an opening stays unclosed, the parser notices it far below: the opening's line is the one to look at. */
static size_t problem_line(const yaml_parser_t *parser, const char *text, size_t len)
{
	size_t line = 0;

	if (parser->error == YAML_READER_ERROR) {
		for (size_t i = 0; i < len && i < parser->problem_offset; i++)
			line += text[i] == '\n';
		return line + 1;
	}
	if (parser->context && (strstr(parser->context, "flow") || strstr(parser->context, "quoted") ||
				strstr(parser->context, "simple key")))
		return parser->context_mark.line + 1;
	line = parser->problem_mark.line + 1;
	if (parser->problem && strstr(parser->problem, "mapping values") && line > 1 &&
	    lacks_colon(text, len, line - 1))
		line--;
	return line;
}

static bool tab_indents(const char *text, size_t len, size_t line)
{
	_cleanup_free_ char *copy = copy_line(text, len, line);

	return copy && copy[strspn(copy, " ")] == '\t';
}

static int syntax_error(struct places *places, const yaml_parser_t *parser, const char *text, size_t len)
{
	size_t line = problem_line(parser, text, len), noticed = parser->problem_mark.line + 1;
	char below[48] = "";

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (tab_indents(text, len, line))
		return places_wrong_in_line(places, line, "YAML", "a tab indents this line; YAML takes spaces only");
	if (parser->error != YAML_READER_ERROR && noticed != line)
		snprintf(below, sizeof(below), " (noticed in line %zu)", noticed);
	return places_wrong_in_line(places, line, "YAML", "%s%s%s%s; valid YAML is expected", parser->context ?: "",
				    parser->context ? ", " : "", parser->problem ?: "not readable", below);
}

static bool has_anchor(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor;
	default:
		return false;
	}
}

/* The document's events without the document, as far as the bounds. Errors of syntax are left to the loader. */
static int check_bounds(struct places *places, yaml_parser_t *parser)
{
	size_t depth = 0, anchors = 0, line;
	yaml_event_type_t type;
	yaml_event_t event;

	do {
		if (!yaml_parser_parse(parser, &event))
			return 0;
		type = event.type;
		line = event.start_mark.line + 1;
		depth += type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT;
		depth -= type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT;
		anchors += has_anchor(&event);
		yaml_event_delete(&event);
		if (depth > NESTING_MAX)
			return places_wrong_in_line(places, line, "file",
						    "lists and mappings nest deeper than %d; fewer levels are expected",
						    NESTING_MAX);
		if (anchors > ANCHORS_MAX)
			return places_wrong_in_line(places, line, "file", "more than %d anchors; fewer are expected",
						    ANCHORS_MAX);
	} while (type != YAML_STREAM_END_EVENT);
	return 0;
}

static int open_document(struct places *places, yaml_parser_t *parser, const char *text, size_t len)
{
	yaml_document_t second;
	yaml_node_t *root;
	int err = 0;

	if (!yaml_parser_load(parser, &places->document))
		return syntax_error(places, parser, text, len);
	root = places_root(places);
	if (!root || (root->type == YAML_SCALAR_NODE && !root->data.scalar.length))
		return places_wrong_in_line(places, 1, "file", "empty; a mapping with fields is expected");
	if (!yaml_parser_load(parser, &second))
		return syntax_error(places, parser, text, len);
	root = yaml_document_get_root_node(&second);
	if (root)
		err = places_wrong_in_line(places, root->start_mark.line + 1, "file",
					   "a second document starts; one is allowed");
	yaml_document_delete(&second);
	return err;
}

int places_open(struct places *places, const char *file, const char *text, size_t len)
{
	yaml_parser_t parser;
	int err = 0;

	*places = (struct places){ .file = file };
	for (int pass = 0; !err && pass < 2; pass++) {
		if (!yaml_parser_initialize(&parser))
			return -ENOMEM;
		yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
		err = pass ? open_document(places, &parser, text, len) : check_bounds(places, &parser);
		yaml_parser_delete(&parser);
	}
	return err;
}

void places_close(struct places *places)
{
	yaml_document_delete(&places->document);
	free(places->message);
	places->message = NULL;
}
