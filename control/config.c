// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the configuration file for every command that takes one: the file's bytes, libyaml for the places
 * (config_places.c) and the shape (config_shape.c), libcyaml for structures (config_schema.c), then what the values mean
 * (config_check.c, config_traffic.c, config_conflicts.c).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config_check.h"
#include "config_places.h"
#include "config_schema.h"
#include "util.h"

static const cyaml_config_t cyaml_settings = { .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR };

/* Errors of the file as a whole have no line. */
static int file_error(int err, const char *path, const char *text, char **ret_message)
{
	char *message;

	if (asprintf(&message, "%s: %s", path, text) < 0)
		return -ENOMEM;
	*ret_message = message;
	return err;
}

static int open_regular(const char *path, int *ret_fd, char **ret_message)
{
	/* O_NONBLOCK: opening a FIFO would wait for its writer */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return file_error(-errno, path, strerror(errno), ret_message);
	if (!S_ISREG(st.st_mode))
		return file_error(S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL, path,
				  S_ISDIR(st.st_mode) ? "a directory; a regular file is expected" :
							"not a regular file; a regular file is expected", ret_message);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int read_file(const char *path, char **ret_text, size_t *ret_len, char **ret_message)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	ssize_t n = 1;
	int err = open_regular(path, &fd, ret_message);

	if (err)
		return err;
	/* the size that fstat() gave may have changed: what is read counts; pages that are not used cost nothing */
	text = malloc(CONFIG_FILE_MAX + 1);
	if (!text)
		return -ENOMEM;
	while (n && len <= CONFIG_FILE_MAX) {
		n = read(fd, text + len, CONFIG_FILE_MAX + 1 - len);
		if (n < 0)
			return file_error(-errno, path, strerror(errno), ret_message);
		len += n;
	}
	if (len > CONFIG_FILE_MAX)
		return file_error(-EFBIG, path, "larger than 16 MiB; a configuration is at most that", ret_message);
	*ret_text = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

static int read_raw(struct places *places, const char *text, size_t len, struct raw_config **ret)
{
	cyaml_data_t *data = NULL;
	cyaml_err_t err = cyaml_load_data((const uint8_t *)text, len, &cyaml_settings, &config_schema, &data, NULL);

	if (err == CYAML_ERR_OOM)
		return -ENOMEM;
	if (err != CYAML_OK || !data)
		return places_wrong_in_line(places, 1, "file", "libcyaml: %s; the described shape is expected",
					    cyaml_strerror(err));
	*ret = data;
	return 0;
}

static int check_raw(struct places *places, const struct raw_config *raw, struct config **ret)
{
	struct config *config = calloc(1, sizeof(*config));
	struct check check = { .places = places, .raw = raw, .config = config };
	int err;

	if (!config)
		return -ENOMEM;
	config->path = strdup(places->file);
	err = config->path ? config_check_settings(&check) : -ENOMEM;
	if (!err)
		err = config_check_pools(&check);
	if (!err)
		err = config_check_vips(&check);
	if (!err)
		err = config_check_conflicts(&check);
	if (err) {
		config_free(config);
		return err;
	}
	*ret = config;
	return 0;
}

static int read_document(struct places *places, const char *path, const char *text, size_t len, struct config **ret)
{
	struct raw_config *raw = NULL;
	int err = places_open(places, path, text, len);

	if (!err)
		err = config_shape_check(places, &config_schema);
	if (!err)
		err = read_raw(places, text, len, &raw);
	if (!err)
		err = check_raw(places, raw, ret);
	cyaml_free(&cyaml_settings, &config_schema, raw, 0);
	return err;
}

int config_load(const char *path, struct config **ret, char **ret_message)
{
	_cleanup_free_ char *text = NULL, *message = NULL;
	struct places places = {};
	size_t len = 0;
	int err = read_file(path, &text, &len, &message);

	if (!err) {
		err = read_document(&places, path, text, len, ret);
		message = TAKE_PTR(places.message);
		places_close(&places);
	}
	if (err == -ENOMEM && !message)
		file_error(err, path, strerror(ENOMEM), &message);
	if (err)
		*ret_message = TAKE_PTR(message);
	return err;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_pools; i++) {
		free(config->pools[i].name);
		free(config->pools[i].backends);
	}
	for (size_t i = 0; i < config->n_vips; i++) {
		free(config->vips[i].name);
		free(config->vips[i].addresses);
		free(config->vips[i].services);
	}
	free(config->pools);
	free(config->vips);
	free(config->path);
	free(config->instance);
	for (size_t i = 0; i < config->n_devices; i++)
		free(config->devices[i]);
	free(config->devices);
	free(config->metrics_host);
	free(config);
}
