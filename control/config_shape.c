// SPDX-License-Identifier: GPL-2.0-only
/*
 * The document against the schema; see config_shape_check(). libcyaml would refuse the same files, but it names the
 * line above an unknown or repeated field, and for a missing one the last line of what has it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "config_places.h"
#include "config_schema.h"
#include "util.h"

#define FIELDS_MAX 16		/* of one mapping */
#define NAME_MAX_COMPARED 24	/* longest field name that a suggestion is sought for */

/*
 * Values after aliases are followed. Anchors that hold aliases multiply: a file of a kilobyte can stand for more
 * values than memory holds. Far above what 16 MiB of honest configuration has.
 */
#define VALUES_MAX (1 << 22)

struct shape {
	struct places *places;
	size_t values;
};

static int check_value(struct shape *shape, int id, const cyaml_schema_value_t *schema, const char *path);

static const char *kind_name(const yaml_node_t *node)
{
	if (node->type == YAML_SCALAR_NODE)
		return "a single value";
	return node->type == YAML_SEQUENCE_NODE ? "a list" : "a mapping";
}

static bool is_null(const yaml_node_t *node)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };

	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(nulls); i++)
		if (!strcmp((const char *)node->data.scalar.value, nulls[i]))
			return true;
	return false;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

/* Levenshtein's: insertions, deletions and replacements that turn one name into the other. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_COMPARED + 1], diagonal, above;

	if (strlen(a) > NAME_MAX_COMPARED || strlen(b) > NAME_MAX_COMPARED)
		return NAME_MAX_COMPARED;
	for (size_t j = 0; j <= strlen(b); j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		diagonal = row[0]++;
		for (size_t j = 0; b[j]; j++) {
			above = row[j + 1];
			row[j + 1] = min3(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[strlen(b)];
}

static const char *nearest(const cyaml_schema_field_t *fields, const char *name)
{
	const char *best = NULL;
	size_t best_distance = 3;

	for (; fields->key; fields++) {
		size_t d = distance(fields->key, name);

		if (d < best_distance && d < strlen(fields->key)) {
			best_distance = d;
			best = fields->key;
		}
	}
	return best;
}

static struct path field_names(const cyaml_schema_field_t *fields, bool required_only)
{
	struct path names = {};
	size_t len = 0;

	for (; fields->key; fields++)
		if (!required_only || !(fields->value.flags & CYAML_FLAG_OPTIONAL))
			len += snprintf(names.text + len, sizeof(names.text) - len, "%s%s", len ? ", " : "",
					fields->key);
	return names;
}

static struct path child_path(const char *path, const char *key)
{
	return path_of("%s%s%s", path, *path ? "." : "", shown(key).text);
}

static int unknown_field(struct shape *shape, size_t line, const cyaml_schema_field_t *fields, const char *path,
			 const char *name)
{
	const char *meant = nearest(fields, name);

	return places_wrong_in_line(shape->places, line, child_path(path, name).text,
				    "an unknown field%s%s%s; allowed here: %s", meant ? ", did you mean " : "",
				    meant ? meant : "", meant ? "?" : "", field_names(fields, false).text);
}

static int check_field(struct shape *shape, const yaml_node_pair_t *pair, const cyaml_schema_value_t *schema,
		       const char *path, size_t *first_lines)
{
	const cyaml_schema_field_t *fields = schema->mapping.fields;
	yaml_node_t *key = places_node(shape->places, pair->key);
	size_t line = key->start_mark.line + 1, i = 0;
	const char *name;

	if (key->type != YAML_SCALAR_NODE)
		return places_wrong_in_line(shape->places, line, *path ? path : "file",
					    "%s stands for a field's name; allowed here: %s", kind_name(key),
					    field_names(fields, false).text);
	name = (const char *)key->data.scalar.value;
	while (fields[i].key && (strcmp(fields[i].key, name) || strlen(name) != key->data.scalar.length))
		i++;
	if (!fields[i].key)
		return unknown_field(shape, line, fields, path, name);
	if (first_lines[i])
		return places_wrong_in_line(shape->places, line, child_path(path, name).text,
					    "given again after line %zu; a field is given once", first_lines[i]);
	first_lines[i] = line;
	return check_value(shape, pair->value, &fields[i].value, child_path(path, name).text);
}

static int check_mapping(struct shape *shape, yaml_node_t *node, const cyaml_schema_value_t *schema, const char *path)
{
	const cyaml_schema_field_t *fields = schema->mapping.fields;
	size_t first_lines[FIELDS_MAX] = {};
	int err;

	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
	     pair++) {
		err = check_field(shape, pair, schema, path, first_lines);
		if (err)
			return err;
	}
	for (size_t i = 0; fields[i].key; i++)
		if (!first_lines[i] && !(fields[i].value.flags & CYAML_FLAG_OPTIONAL))
			return places_wrong(shape->places, child_path(path, fields[i].key).text,
					    "missing; required here: %s", field_names(fields, true).text);
	return 0;
}

static int check_list(struct shape *shape, yaml_node_t *node, const cyaml_schema_value_t *schema, const char *path)
{
	yaml_node_item_t *items = node->data.sequence.items.start;
	size_t n = node->data.sequence.items.top - items;
	int err;

	for (size_t i = 0; i < n; i++) {
		err = check_value(shape, items[i], schema->sequence.entry, path_of("%s[%zu]", path, i).text);
		if (err)
			return err;
	}
	return 0;
}

static int check_scalar(struct shape *shape, const yaml_node_t *node, const char *path)
{
	if (strlen((const char *)node->data.scalar.value) != node->data.scalar.length)
		return places_wrong(shape->places, path, "a value with a NUL in it; text without is expected");
	return 0;
}

static int wrong_kind(struct shape *shape, const yaml_node_t *node, const cyaml_schema_value_t *schema,
		      const char *path)
{
	const char *found = is_null(node) ? "nothing" : kind_name(node);

	if (schema->type == CYAML_MAPPING)
		return places_wrong(shape->places, *path ? path : "file", "%s; a mapping is expected, of: %s", found,
				    field_names(schema->mapping.fields, false).text);
	return places_wrong(shape->places, path, "%s; %s is expected", found,
			    schema->type == CYAML_SEQUENCE ? "a list" : "a single value");
}

static int check_value(struct shape *shape, int id, const cyaml_schema_value_t *schema, const char *path)
{
	static const char *const plain_tags[] = {
		[YAML_SCALAR_NODE] = YAML_STR_TAG,
		[YAML_SEQUENCE_NODE] = YAML_SEQ_TAG,
		[YAML_MAPPING_NODE] = YAML_MAP_TAG,
	};
	yaml_node_t *node = places_node(shape->places, id);
	yaml_node_type_t type = schema->type == CYAML_MAPPING  ? YAML_MAPPING_NODE :
				schema->type == CYAML_SEQUENCE ? YAML_SEQUENCE_NODE :
								 YAML_SCALAR_NODE;

	if (++shape->values > VALUES_MAX)
		return places_wrong(shape->places, path,
				    "more than %d values with aliases followed; fewer are expected", VALUES_MAX);
	if (node->type != type || is_null(node))
		return wrong_kind(shape, node, schema, path);
	if (strcmp((const char *)node->tag, plain_tags[type]))
		return places_wrong(shape->places, *path ? path : "file",
				    "the tag %s; a value without a tag is expected",
				    shown((const char *)node->tag).text);
	if (type == YAML_MAPPING_NODE)
		return check_mapping(shape, node, schema, path);
	if (type == YAML_SEQUENCE_NODE)
		return check_list(shape, node, schema, path);
	return check_scalar(shape, node, path);
}

int config_shape_check(struct places *places, const cyaml_schema_value_t *schema)
{
	struct shape shape = { .places = places };

	return check_value(&shape, 1, schema, "");
}
