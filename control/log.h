/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages to the operator, on standard error: "tailrace: ..." on a terminal, "<N>..." under journald.
 * A message names object, action and reason, and is given once, at the level that knows the object.
 */
#ifndef TAILRACE_LOG_H
#define TAILRACE_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

void log_set_level(enum log_level level);
__attribute__((format(printf, 2, 3))) void log_at(enum log_level level, const char *fmt, ...);

/* Logs "TEXT: strerror(-err)" as an error and returns err, a negative errno. */
__attribute__((format(printf, 2, 3))) int log_err(int err, const char *fmt, ...);

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
