// SPDX-License-Identifier: GPL-2.0-only
/* The HTTP server of the metrics, libmicrohttpd in the caller's event loop; see metrics.h. */
#include "metrics.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "log.h"
#include "util.h"

#define CONNECTIONS_MAX 32		/* a scraper or two, and curl */
#define IDLE_SECONDS 10
#define BACKLOG 16
#define CONNECTIONS_PER_HOST 8		/* so that one slow client does not keep others out */
#define BUSY_US 5000			/* of one call: the event loop has other work too */
#define FRESH_US 100000			/* many requests at once are answered by one look at the maps */

struct metrics {
	struct MHD_Daemon *daemon;
	int fd;				/* the daemon's epoll */
	uint16_t port;
	char *instance;
	char *text;			/* the last answer; NULL: none yet */
	size_t len;
	uint64_t rendered_at;		/* now_us() */
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

/* Takes the text, which is from malloc. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status, const char *type, char *text,
			      size_t len)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result = MHD_NO;

	if (!response) {
		free(text);
		return MHD_NO;
	}
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
	    (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
	     MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_line(struct MHD_Connection *connection, unsigned int status, const char *line)
{
	char *text = strdup(line);

	return text ? answer(connection, status, "text/plain; charset=utf-8", text, strlen(text)) : MHD_NO;
}

/* 0, -ENOMEM, or what snapshot_read() says. */
static int render(struct metrics *metrics)
{
	struct snapshot *snapshot;
	char *text = NULL;
	bool failed;
	size_t len;
	FILE *to;
	int err = snapshot_read(metrics->instance, &snapshot);

	if (err)
		return err;
	to = open_memstream(&text, &len);
	if (to)
		metrics_render(snapshot, to);
	failed = !to || ferror(to);
	if (to && fclose(to))
		failed = true;
	snapshot_free(snapshot);
	if (failed) {
		free(text);
		return -ENOMEM;
	}
	free(metrics->text);
	metrics->text = text;
	metrics->len = len;
	metrics->rendered_at = now_us();
	return 0;
}

static enum MHD_Result answer_metrics(struct metrics *metrics, struct MHD_Connection *connection)
{
	char *text;
	int err = 0;

	if (!metrics->text || now_us() - metrics->rendered_at > FRESH_US)
		err = render(metrics);
	if (err == -ENOMEM)
		return answer_line(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
	if (err)
		return answer_line(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the instance's maps cannot be read\n");
	text = malloc(metrics->len);
	if (!text)
		return MHD_NO;
	memcpy(text, metrics->text, metrics->len);
	return answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, metrics->len);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *upload, size_t *upload_size, void **request)
{
	static int seen;

	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer_line(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	/* The first call comes before any body; an answer to it would end the connection. */
	if (!*request) {
		*request = &seen;
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (!strcmp(url, "/metrics"))
		return answer_metrics(cls, connection);
	if (!strcmp(url, "/"))
		return answer_line(connection, MHD_HTTP_OK, "tailrace: metrics for Prometheus are at /metrics\n");
	return answer_line(connection, MHD_HTTP_NOT_FOUND, "not found; metrics are at /metrics\n");
}

/* An fd or -errno. */
static int listen_on(const struct addrinfo *address)
{
	_cleanup_close_ int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) ||
	    bind(fd, address->ai_addr, address->ai_addrlen) || listen(fd, BACKLOG))
		return -errno;
	return TAKE_FD(fd);
}

/* An fd, or -errno after a message. libmicrohttpd's own binding would not say why it failed. */
static int open_listener(const char *host, uint16_t port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV }, *found;
	const char *open = strchr(host, ':') ? "[" : "", *close_ = *open ? "]" : "";
	char service[8];
	int fd, err;

	snprintf(service, sizeof(service), "%u", port);
	err = getaddrinfo(host, service, &hints, &found);
	if (err) {
		log_error("metrics: %s%s%s:%u: %s", open, host, close_, port, gai_strerror(err));
		return -EADDRNOTAVAIL;
	}
	fd = listen_on(found);
	freeaddrinfo(found);
	return fd < 0 ? log_err(fd, "metrics: cannot listen on %s%s%s:%u", open, host, close_, port) : fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address = {};
	socklen_t len = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &len))
		return 0;
	return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port :
		     ((struct sockaddr_in *)&address)->sin_port);
}

int metrics_start(const char *host, uint16_t port, const char *instance, struct metrics **ret)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));
	int listener;

	if (metrics)
		metrics->instance = strdup(instance);
	if (!metrics || !metrics->instance) {
		free(metrics);
		return log_err(-ENOMEM, "metrics");
	}
	listener = open_listener(host, port);
	if (listener < 0) {
		metrics_stop(metrics);
		return listener;
	}
	metrics->port = port_of(listener);
	metrics->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle, metrics,
					   MHD_OPTION_LISTEN_SOCKET, listener,
					   MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
					   MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_PER_HOST,
					   MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_END);
	if (!metrics->daemon) {
		metrics_stop(metrics);
		return log_err(-EIO, "metrics: cannot start the HTTP server");
	}
	metrics->fd = MHD_get_daemon_info(metrics->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	*ret = metrics;
	return 0;
}

void metrics_stop(struct metrics *metrics)
{
	if (!metrics)
		return;
	if (metrics->daemon)
		MHD_stop_daemon(metrics->daemon);
	free(metrics->instance);
	free(metrics->text);
	free(metrics);
}

int metrics_fd(const struct metrics *metrics)
{
	return metrics->fd;
}

/* What libmicrohttpd has read already makes its epoll readable no more: it says by a timeout of 0 that there is more. */
bool metrics_process(struct metrics *metrics)
{
	uint64_t start = now_us();
	MHD_UNSIGNED_LONG_LONG timeout;

	do {
		MHD_run(metrics->daemon);
		if (MHD_get_timeout(metrics->daemon, &timeout) != MHD_YES || timeout)
			return false;
	} while (now_us() - start < BUSY_US);
	return true;
}

uint16_t metrics_port(const struct metrics *metrics)
{
	return metrics->port;
}
