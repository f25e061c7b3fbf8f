/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_docker - what comes from a Docker Engine: streams of JSON, output of commands,
 * what it says of containers; and what anybody sends to the socket of our plugins.
 *
 * The first byte says which, the second where the input is cut in two: pieces must lead
 * to the same as the whole does.
 */
#include <jansson.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/docker/containers_impl.h"
#include "agent/docker/stream.h"
#include "agent/docker/volumes.h"
#include "agent/swarm/driver.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROUNDS 20 /* of the loop; a request needs fewer */

/* --- streams -------------------------------------------------------------------------
 */

struct digest {
	crypto_generichash_state hash;
	size_t objects;
};

static void take(void *ctx, const char *text, size_t n)
{
	struct digest *d = ctx;
	uint64_t len = n;

	d->objects++;
	if (text != NULL && (n < 2 || text[0] != '{'))
		abort();
	crypto_generichash_update(&d->hash, (const unsigned char *)&len, sizeof(len));
	if (n > 0)
		crypto_generichash_update(&d->hash, (const unsigned char *)text, n);
}

static size_t split(const char *p, size_t n, size_t cut, unsigned level,
                    unsigned char out[32])
{
	struct json_split s = { .max = 300, .level = level };
	struct digest d = { .objects = 0 };

	crypto_generichash_init(&d.hash, NULL, 0, 32);
	json_split_feed(&s, p, cut, take, &d);
	json_split_feed(&s, p + cut, n - cut, take, &d);
	if (s.n > s.max || s.cap > 2 * s.max + 512)
		abort();
	json_split_free(&s);
	crypto_generichash_final(&d.hash, out, 32);
	return d.objects;
}

static void try_split(const char *p, size_t n, size_t cut, unsigned level)
{
	unsigned char whole[32], pieces[32];

	if (split(p, n, 0, level, whole) != split(p, n, cut, level, pieces) ||
	    memcmp(whole, pieces, sizeof(whole)) != 0)
		abort();
}

static void try_demux(const char *p, size_t n, size_t cut)
{
	struct demux a = { .max = 50 }, b = { .max = 50 };
	bool whole = demux_feed(&a, p, n);
	bool pieces = demux_feed(&b, p, cut) && demux_feed(&b, p + cut, n - cut);

	if (whole != pieces)
		abort();
	if (whole && (a.n != b.n || a.cut != b.cut || a.n > a.max ||
	              (a.n > 0 && memcmp(a.p, b.p, a.n + 1) != 0)))
		abort();
	demux_free(&a);
	demux_free(&b);
}

/* --- containers ----------------------------------------------------------------------
 */

static const char *binding_of(void *ctx UNUSED, const char *volume UNUSED)
{
	return "app";
}

/* What becomes a directory of ours. */
static void check_name(const char *s)
{
	if (*s == '\0' || strchr(s, '/') != NULL || strncmp(s, "..", 2) == 0 ||
	    strcmp(s, ".") == 0)
		abort();
}

static void check_row(const struct container *c)
{
	if (strlen(c->id) != 64 || c->name == NULL || c->image == NULL ||
	    c->n_bindings > CONTAINERS_BINDINGS_MAX ||
	    c->n_mounts > CONTAINERS_MOUNTS_MAX)
		abort();
	for (size_t i = 0; i < c->n_bindings; i++)
		check_name(c->bindings[i]);
	(void)container_uses(c, "app");
}

/* The same text is the item of a list, of the next list, and an inspection. */
static void try_container(const char *p, size_t n)
{
	static char dir[] = "/run/vault-agent", driver[] = "vault", web[] = "web";
	char *names[] = { web };
	const struct container_rules r = { .run_dir = dir,
		                           .labels = true,
		                           .driver = driver,
		                           .binding_of = binding_of,
		                           .names = names,
		                           .n_names = 1 };
	json_t *doc = json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL);
	struct container_row *row = NULL;

	if (doc != NULL && container_row_new(&r, doc, &row) == ERR_OK && row != NULL) {
		check_row(&row->c);
		container_row_list(&r, row, doc);
		container_row_inspect(row, doc);
		check_row(&row->c);
		(void)container_row_concerns(&r, row);
	}
	container_row_free(row);
	json_decref(doc);
}

/* --- the plugin ----------------------------------------------------------------------
 */

static struct volumes *volumes;
static struct driver *secrets; /* at the same socket */
static int epoll_fd;
static char directory[64], socket_path[128];

static uint64_t on_want(void *ctx UNUSED, const char *binding)
{
	check_name(binding);
	return 1;
}

static bool is_ready(void *ctx UNUSED, const char *binding)
{
	return binding[0] == 'a';
}

static void on_missing(void *ctx UNUSED, const char *binding, int64_t version)
{
	if (strcmp(binding, "db") != 0 || version < 0)
		abort();
}

static void open_driver(void)
{
	static const char *const services[] = { "web" };
	const struct driver_binding one = {
		.name = "db", .services = services, .n_services = 1, .keep = 2
	};
	const struct driver_options o = { .plugin = volumes_plugin(volumes),
		                          .clock = clock_system(),
		                          .ops = { .missing = on_missing } };
	struct err e = { ERR_OK, "" };

	if (driver_open(&o, &secrets, &e) != ERR_OK)
		abort();
	driver_cluster(secrets, "c1");
	if (driver_plan(secrets, &one, 1, &e) != ERR_OK ||
	    driver_put(secrets, "db", 1, "one", 3, &e) != ERR_OK)
		abort();
}

static void clean(void)
{
	char file[160];

	driver_free(secrets);
	volumes_free(volumes);
	snprintf(file, sizeof(file), "%s/volumes.json", directory);
	(void)unlink(file);
	(void)rmdir(directory);
}

static void open_plugin(void)
{
	const struct volumes_options o = {
		.socket = socket_path,
		.run_dir = "/run/vault-agent",
		.state_dir = directory,
		.wait_ms = 1,
		.ops = {.want = on_want, .ready = is_ready}
	};
	struct err e = { ERR_OK, "" };

	snprintf(directory, sizeof(directory), "/dev/shm/fuzz-docker-XXXXXX");
	if (mkdtemp(directory) == NULL)
		abort();
	snprintf(socket_path, sizeof(socket_path), "%s/vault.sock", directory);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (volumes_listen(&o, &volumes, &e) != ERR_OK ||
	    volumes_attach(volumes, epoll_fd, &e) != ERR_OK)
		abort();
	(void)atexit(clean);
}

static void turn(int64_t now)
{
	struct epoll_event ev[8];
	int n = epoll_wait(epoll_fd, ev, 8, 0);

	for (int i = 0; i < n; i++)
		if (!volumes_event(volumes, ev[i].data.fd, ev[i].events))
			abort();
	(void)volumes_due(volumes, now);
}

/* One connection; whatever it says, it is answered or closed, once. */
static void try_plugin(const char *p, size_t n, size_t cut)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char reply[4096];
	ssize_t got;

	memcpy(to.sun_path, socket_path, strlen(socket_path) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		abort();
	(void)!send(fd, p, cut, MSG_NOSIGNAL);
	turn(0);
	turn(0);
	(void)!send(fd, p + cut, n - cut, MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	for (int i = 0; i < ROUNDS; i++)
		turn(INT64_MAX);
	got = recv(fd, reply, sizeof(reply), 0);
	if (got > 0 && (got < 12 || memcmp(reply, "HTTP/1.1 ", 9) != 0))
		abort();
	close(fd);
	turn(INT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 2;
	size_t n = size - 2, cut;

	if (volumes == NULL) {
		log_init("fuzz", false);
		(void)log_set_level("error");
		if (sodium_init() < 0)
			abort();
		open_plugin();
		open_driver();
	}
	if (size < 2 || size > 100000)
		return 0;
	cut = data[1] < n ? data[1] : n;
	switch (data[0]) {
	case 's':
		try_split(text, n, cut, 0);
		break;
	case 'l':
		try_split(text, n, cut, 1);
		break;
	case 'd':
		try_demux(text, n, cut);
		break;
	case 'c':
		try_container(text, n);
		break;
	case 'v':
		try_plugin(text, n, cut);
		break;
	default:
		break;
	}
	return 0;
}
