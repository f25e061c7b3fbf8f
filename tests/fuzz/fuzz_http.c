/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_http - bytes of one connection, from libmicrohttpd to the frames that core gets.
 *
 * The real net code runs on one end of a socket pair, a pretended core on the other side
 * of it answers every request with 204.  A parser of our own, written to the letter of
 * RFC 9112 and nothing else, says which requests the bytes contain.  What reaches core
 * must be among those, in their order: whoever smuggles a second request past a stricter
 * proxy in front would make one appear that is not.
 */
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/path.h"
#include "server/net/net.h"
#include "vault/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROUNDS    200 /* of the loop; more than any input of this size needs */
#define INPUT_MAX ((size_t)60000)

/* What is left of the input, for the strict parser. */
struct input {
	const char *p;
	size_t n;
};

struct framing {
	bool v11, host, chunked, length;
	uint64_t body;
};

static bool tchar(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/*
 * A line up to its end, which is CR LF.  What libmicrohttpd has replaced by NUL cannot be
 * told from it (http_head.c): NUL LF, and at the end of a head any four bytes of NUL, CR
 * and LF that it takes for a line's end and an empty line.
 */
static bool take_line(struct input *in, const char **line, size_t *len, bool *last)
{
	const char *t = in->p, *end = in->p + in->n;
	size_t n;

	while (t < end && *t != '\0' && *t != '\r' && *t != '\n')
		t++;
	*line = in->p;
	*len = (size_t)(t - in->p);
	n = (size_t)(end - t);
	*last = n >= 4 && t[3] == '\n' &&
	        (t[1] == '\n' || t[2] == '\n' || t[0] == '\0') &&
	        memchr("\0\r\n", t[0], 3) != NULL && memchr("\0\r\n", t[1], 3) != NULL &&
	        memchr("\0\r\n:", t[2], 4) != NULL;
	if (*last)
		n = 4;
	else if (n >= 2 && t[0] != '\n' && t[1] == '\n')
		n = 2;
	else
		return false;
	in->p = t + n;
	in->n = (size_t)(end - in->p);
	return true;
}

/* Lines in front of a request that libmicrohttpd takes for empty ones: it has put a NUL
 * where their end was, and finds one where they begin. */
static void skip_empty(struct input *in)
{
	const char *lf;

	while (in->n > 0 && (lf = memchr(in->p, '\n', in->n)) != NULL &&
	       (lf == in->p || *in->p == '\0' || (*in->p == '\r' && lf == in->p + 1))) {
		in->n -= (size_t)(lf - in->p) + 1;
		in->p = lf + 1;
	}
}

/* METHOD SP TARGET SP VERSION; the target is kept without "/v1/", decoded. */
static bool take_request_line(struct input *in, char path[LIMIT_PATH + 1], bool *v11,
                              bool *last)
{
	const char *line, *target, *end;
	size_t len, method = 0, n;
	struct err e;

	skip_empty(in);
	if (!take_line(in, &line, &len, last))
		return false;
	while (method < len && tchar(line[method]))
		method++;
	if (method == 0 || method + 1 + 9 > len || line[method] != ' ')
		return false;
	target = line + method + 1;
	end = line + len - 9;
	if (memcmp(end, " HTTP/1.", 8) != 0 || (end[8] != '0' && end[8] != '1') ||
	    end < target)
		return false;
	for (const char *c = target; c < end; c++)
		if (*c <= 0x20 || *c == 0x7f)
			return false;
	*v11 = end[8] == '1';
	path[0] = '\0';
	n = (size_t)(end - target);
	if (memchr(target, '?', n) != NULL)
		n = (size_t)((const char *)memchr(target, '?', n) - target);
	if (n > 4 && memcmp(target, "/v1/", 4) == 0 &&
	    path_decode(target + 4, n - 4, path, LIMIT_PATH + 1, &len, &e) != ERR_OK)
		path[0] = '\0'; /* whole, but nothing for core */
	return true;
}

static bool name_is(const char *s, size_t n, const char *name)
{
	return n == strlen(name) && strncasecmp(s, name, n) == 0;
}

static bool take_header(struct framing *f, const char *line, size_t len)
{
	const char *value, *colon = memchr(line, ':', len);
	size_t name, n;

	if (colon == NULL || colon == line)
		return false;
	name = (size_t)(colon - line);
	for (size_t i = 0; i < name; i++)
		if (!tchar(line[i]))
			return false;
	value = colon + 1;
	n = len - name - 1;
	for (; n > 0 && (*value == ' ' || *value == '\t'); n--)
		value++;
	while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		n--;
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)value[i] < 0x20 && value[i] != '\t') ||
		    value[i] == 0x7f)
			return false;
	if (name_is(line, name, "Host")) {
		if (f->host)
			return false;
		f->host = true;
	} else if (name_is(line, name, "Content-Length")) {
		if (f->length || n == 0 || n > 18)
			return false;
		f->length = true;
		for (f->body = 0; n > 0; n--, value++) {
			if (*value < '0' || *value > '9')
				return false;
			f->body = f->body * 10 + (uint64_t)(*value - '0');
		}
	} else if (name_is(line, name, "Transfer-Encoding")) {
		if (f->chunked || !name_is(value, n, "chunked"))
			return false;
		f->chunked = true;
	}
	return true;
}

/* libmicrohttpd alone sees the lines of a chunked body: a bare LF ends them too, and an
 * extension may follow the size. */
static bool take_chunk_size(struct input *in, uint64_t *size)
{
	const char *lf = memchr(in->p, '\n', in->n);
	size_t digits = 0, len;

	if (lf == NULL)
		return false;
	len = (size_t)(lf - in->p) + 1;
	for (*size = 0; digits < len && digits < 16; digits++) {
		char c = in->p[digits];
		int v = c >= '0' && c <= '9'                     ? c - '0'
		        : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
		                                                 : -1;

		if (v < 0)
			break;
		*size = *size << 4 | (uint64_t)v;
	}
	in->p += len;
	in->n -= len;
	return digits > 0;
}

static bool skip(struct input *in, uint64_t n)
{
	if (n > in->n)
		return false;
	in->p += n;
	in->n -= n;
	return true;
}

static bool take_chunks(struct input *in)
{
	uint64_t size;
	size_t len;

	for (;;) {
		if (!take_chunk_size(in, &size))
			return false;
		if (size == 0)
			break;
		if (!skip(in, size) || in->n == 0)
			return false;
		if (!skip(in, in->p[0] == '\n' ? 1 : 2))
			return false;
	}
	for (;;) { /* trailers */
		const char *lf = memchr(in->p, '\n', in->n);

		if (lf == NULL)
			return false;
		len = (size_t)(lf - in->p) + 1;
		in->p += len;
		in->n -= len;
		if (len <= 2)
			return true;
	}
}

/* The next whole request; false if there is none, and then there is none behind it. */
static bool strict_next(struct input *in, char path[LIMIT_PATH + 1])
{
	struct framing f = { .v11 = false };
	const char *line;
	bool last = false;
	size_t len;

	if (!take_request_line(in, path, &f.v11, &last))
		return false;
	while (!last)
		if (!take_line(in, &line, &len, &last) || !take_header(&f, line, len))
			return false;
	if ((f.v11 && !f.host) || (f.chunked && (f.length || !f.v11)))
		return false;
	return f.chunked ? take_chunks(in) : skip(in, f.body);
}

/* The net under test, and what stands in for core. */
static struct net net;
static struct frame_conn *core;
static struct arena *a;

static void start(void)
{
	struct sockaddr_un sa = { .sun_family =
		                          AF_UNIX }; /* a name of the kernel's choice */
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];
	struct err e;

	log_init("fuzz", false);
	(void)log_set_level("error");
	assert(sodium_init() >= 0);
	a = arena_new((size_t)64 << 20);
	net.body_max = 4096;
	net.kind = IPC_ON_API;
	net.trust_version = 1;
	net.ep = epoll_create1(EPOLL_CLOEXEC);
	net.a = arena_new((size_t)64 << 20);
	net.addresses = addr_table_new();
	net.requests = rate_table_new(8);
	net.connected = rate_table_new(8);
	net.rejected = reject_table_new();
	assert(refusal_init(&e) == ERR_OK);
	assert(bind(listener, (struct sockaddr *)&sa, sizeof(sa.sun_family)) == 0);
	assert(listen(listener, 1) == 0);
	assert(listener_start(&net, listener, true, NULL, NULL, &e) == ERR_OK);
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	assert(core_attach(&net, pair[0], &e) == ERR_OK);
	core = frame_conn_new(pair[1], (size_t)64 << 20);
	assert(core != NULL);
	net.welcomed = true;
}

static void answer(uint64_t id)
{
	struct value *v = value_array(a);

	value_add(v, value_int(a, 204));
	value_add(v, value_int(a, IPC_K_EMPTY));
	value_add(v, value_str(a, ""));
	value_add(v, value_null(a));
	value_add(v, value_int(a, 0));
	assert(frame_put(core, IPC_REPLY, id, v) == ERR_OK);
}

/* A request has reached core: it must be one of those that are left. */
static void judge(const struct frame *f, struct input *left)
{
	static char path[LIMIT_PATH + 1];
	const struct value *got;
	struct value *v = NULL;
	struct err e;

	assert(value_decode(a, f->payload, f->len, &v, &e) == ERR_OK);
	assert(v->type == V_ARRAY && v->len == IPC_RQ__COUNT);
	got = value_at(v, IPC_RQ_PATH);
	do {
		assert(strict_next(left, path)); /* else it was smuggled */
	} while (!value_is_str(got, path));
	answer(f->id);
}

static void core_turn(struct input *left)
{
	struct frame f;
	struct err e;

	assert(frame_read(core, &e) == ERR_OK);
	while (frame_next(core, &f, &e) == 1)
		if (f.type == IPC_REQUEST)
			judge(&f, left);
	assert(frame_flush(core, &e) == ERR_OK);
	arena_reset(a);
}

static void turn(struct input *left)
{
	MHD_run(net.listener[0].daemon);
	core_flush(&net);
	core_turn(left);
	core_read(&net);
	net.now += 10;
	timer_expire(&net);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct input left = { (const char *)data, size };
	char drop[4096];
	int pair[2];

	if (a == NULL)
		start();
	if (size > INPUT_MAX)
		return 0;
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) ==
	       0);
	assert(MHD_add_connection(net.listener[0].daemon, pair[0], (struct sockaddr *)&sa,
	                          sizeof(sa)) == MHD_YES);
	/* All at once: how it is cut into packets is libmicrohttpd's own business. */
	(void)!send(pair[1], data, size, MSG_NOSIGNAL);
	shutdown(pair[1], SHUT_WR);
	for (int i = 0; i < ROUNDS && net.listener[0].connections > 0; i++) {
		turn(&left);
		while (recv(pair[1], drop, sizeof(drop), 0) > 0)
			;
	}
	close(pair[1]);
	for (int i = 0; i < ROUNDS && net.listener[0].connections > 0; i++)
		turn(&left);
	assert(net.listener[0].connections == 0);
	assert(net.bodies == 0);
	return 0;
}
