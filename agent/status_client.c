/* SPDX-License-Identifier: Apache-2.0 */
/* The asking side of status: fetch the document, print it as JSON or as a table. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "reply.h"
#include "status.h"

#define REPLY_MAX (8u * 1024 * 1024)
#define TIMEOUT_S 5
#define REKEY_S   60
#define POLL_MS   200

/* The descriptor, or -1. */
static int connect_to(const char *path, struct err *e)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = TIMEOUT_S };
	int fd;

	if (strlen(path) >= sizeof(to.sun_path)) {
		err_set(e, ERR_USAGE, "'%s' is too long for a socket", path);
		return -1;
	}
	memcpy(to.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	err_sys(e, ERR_UNREACHABLE, errno, "no vault-agent answers at '%s'", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

static json_t *body_of(const char *text, struct err *e)
{
	const char *body = text == NULL ? NULL : strstr(text, "\r\n\r\n");
	json_t *doc = body == NULL ? NULL : reply_parse(body + 4, strlen(body + 4), e);

	if (doc == NULL) {
		err_set(e, ERR_UNREACHABLE, "the agent's answer cannot be read");
		return NULL;
	}
	if (strncmp(text, "HTTP/1.1 20", 11) == 0)
		return doc;
	(void)reply_error(strtol(text + 9, NULL, 10), doc, e);
	json_decref(doc);
	return NULL;
}

static json_t *ask(const char *path, const char *what, struct err *e)
{
	char request[128];
	AUTO_CLOSE int fd = connect_to(path, e);
	AUTO_FREE char *text = NULL;
	size_t n = 0, cap = 0;
	ssize_t got = 0;

	if (fd < 0)
		return NULL;
	snprintf(request, sizeof(request),
	         "%s HTTP/1.1\r\nHost: agent\r\nContent-Length: 0\r\n\r\n", what);
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
		err_sys(e, ERR_UNREACHABLE, errno, "asking the agent");
		return NULL;
	}
	do {
		if (n + 1 >= cap) {
			char *more = cap >= REPLY_MAX ? NULL
			                              : realloc(text, 2 * cap + 4096);

			if (more == NULL) {
				err_set(e, ERR_TOO_BIG, "the agent's answer is too long");
				return NULL;
			}
			text = more;
			cap = 2 * cap + 4096;
		}
		got = recv(fd, text + n, cap - n - 1, 0);
		n += got > 0 ? (size_t)got : 0;
		text[n] = '\0';
	} while (got > 0);
	return body_of(text, e);
}

static const char *or_dash(const char *s)
{
	return s != NULL && *s != '\0' ? s : "-";
}

/* What is stale says since when, unless there is worse to say. */
static void print_secret(const json_t *item, int width)
{
	const char *error = or_dash(reply_str(item, "error"));
	const char *since = or_dash(reply_str(item, "stale_since"));
	bool stale = strcmp(error, "-") == 0 && strcmp(since, "-") != 0;

	printf("%-*s  %-9s %8lld %8lld  %s%s\n", width, or_dash(reply_str(item, "path")),
	       or_dash(reply_str(item, "state")),
	       (long long)reply_int(item, "version", 0),
	       (long long)reply_int(item, "applied", 0), stale ? "since " : "",
	       stale ? since : error);
}

static void print_secrets(const json_t *list)
{
	const json_t *item;
	size_t i;
	int width = 6;

	json_array_foreach(list, i, item)
	{
		int n = (int)strlen(or_dash(reply_str(item, "path")));

		width = n > width ? n : width;
	}
	if (json_array_size(list) > 0)
		printf("\n%-*s  %-9s %8s %8s  %s\n", width, "secret", "state", "version",
		       "in place", "error");
	json_array_foreach(list, i, item) print_secret(item, width);
}

static void print_binding(const json_t *item, int width)
{
	const json_t *list = json_object_get(item, "containers"), *c;
	size_t i;

	printf("%-*s  %-10s %-8s %8lld  %s\n", width, or_dash(reply_str(item, "name")),
	       or_dash(reply_str(item, "state")), or_dash(reply_str(item, "reload")),
	       (long long)reply_int(item, "generation", 0),
	       or_dash(reply_str(item, "why")));
	json_array_foreach(list, i, c)
	{
		const char *name = reply_str(c, "name");

		printf("  %s: %s, generation %lld, for %lld s\n",
		       name != NULL && *name != '\0' ? name : "command",
		       or_dash(reply_str(c, "state")),
		       (long long)reply_int(c, "generation", 0),
		       (long long)reply_int(c, "for_ms", 0) / 1000);
	}
}

static void print_bindings(const json_t *list)
{
	const json_t *item;
	size_t i;
	int width = 7;

	json_array_foreach(list, i, item)
	{
		int n = (int)strlen(or_dash(reply_str(item, "name")));

		width = n > width ? n : width;
	}
	if (json_array_size(list) > 0)
		printf("\n%-*s  %-10s %-8s %8s  %s\n", width, "binding", "state",
		       "reload", "in place", "rejected");
	json_array_foreach(list, i, item) print_binding(item, width);
}

static void print_table(const json_t *doc)
{
	static const char *const keys[] = { "host",    "host_id",    "state", "server",
		                            "run_dir", "last_heard", "error", "alarm" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (reply_str(doc, keys[i]) != NULL && *reply_str(doc, keys[i]) != '\0')
			printf("%-16s %s\n", keys[i], reply_str(doc, keys[i]));
	printf("%-16s %lld\n", "generation", (long long)reply_int(doc, "generation", 0));
	printf("%-16s %lld\n", "checkpoint_size",
	       (long long)reply_int(doc, "checkpoint_size", 0));
	print_secrets(json_object_get(doc, "secrets"));
	print_bindings(json_object_get(doc, "bindings"));
}

int status_print(const char *path, bool json, struct err *e)
{
	AUTO_JSON doc = ask(path, "GET /status", e);

	if (doc == NULL)
		return e->code;
	if (json)
		json_dumpf(doc, stdout, JSON_INDENT(2));
	else
		print_table(doc);
	if (json)
		putchar('\n');
	return fflush(stdout) == 0 ? ERR_OK
	                           : err_sys(e, ERR_IO, errno, "writing the status");
}

int status_rekey(const char *path, struct err *e)
{
	const struct timespec pause = { 0, POLL_MS * 1000000L };
	AUTO_JSON before = ask(path, "GET /status", e);
	AUTO_JSON asked = before != NULL ? ask(path, "POST /rekey", e) : NULL;
	const char *since = reply_str(before, "keys_since"), *now;

	if (asked == NULL)
		return (int)e->code;
	for (int i = 0; i < REKEY_S * 1000 / POLL_MS; i++) {
		AUTO_JSON doc = ask(path, "GET /status", e);

		if (doc == NULL)
			return (int)e->code;
		now = reply_str(doc, "keys_since");
		if (now != NULL && since != NULL && strcmp(now, since) != 0) {
			printf("new keys since %s\n", now);
			return ERR_OK;
		}
		(void)nanosleep(&pause, NULL);
	}
	return err_set(e, ERR_TIMEOUT,
	               "the host has no new keys yet; the agent goes on: see "
	               "vault-agent status");
}
