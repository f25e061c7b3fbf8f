/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core-reads DIR [BATCHES [SIZE]]: what an audited read costs in core, without net and
 * without anybody else's noise: a whole core in DIR, asked BATCHES times SIZE reads of
 * 1,000 secrets.  Meant for perf and callgrind; prints CPU time too.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "arena.h"
#include "core.h"
#include "keymem.h"
#include "util.h"
#include "vault/ipc.h"

#define SECRETS 1000u

static struct {
	struct core *core;
	struct arena *a; /* of the reply that was kept last */
	char token[64];
	uint64_t next_id;
	struct value *body;
	int64_t status;
	uint64_t replies, bytes;
	bool keep;
} bench;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "core-reads: %s: %s\n", what, why);
	exit(1);
}

/* A reply costs what it costs in role main: it is encoded. */
static void on_reply(void *ctx, uint64_t peer, uint64_t id, const struct value *reply)
{
	static unsigned char buf[65536];
	size_t n = value_size(reply);

	(void)ctx;
	(void)peer;
	(void)id;
	if (n > sizeof(buf))
		die("reply", "too large");
	value_encode(reply, buf);
	bench.bytes += n;
	bench.replies++;
	(void)value_to_int(value_at(reply, IPC_RP_STATUS), &bench.status);
	if (bench.keep) {
		arena_reset(bench.a);
		bench.body = value_copy(bench.a, value_at(reply, IPC_RP_BODY));
	} else if (bench.status != 200) {
		die("read", "was refused");
	}
}

static void on_state(void *ctx, const struct value *state)
{
	(void)ctx;
	(void)state;
}

static void submit(int method, const char *path, const char *token, struct value *body)
{
	AUTO_ARENA a = arena_new((size_t)1024 * 1024);
	struct value *rq = value_array(a);
	unsigned char *p;
	size_t n;

	value_add(rq, value_int(a, method));
	value_add(rq, value_str(a, path));
	value_add(rq, token != NULL ? value_str(a, token) : value_null(a));
	value_add(rq, value_str(a, "127.0.0.1"));
	value_add(rq, value_null(a));
	value_add(rq, body != NULL ? body : value_null(a));
	value_add(rq, value_int(a, 0));
	value_add(rq, value_int(a, IPC_ON_API));
	value_add(rq, value_int(a, IPC_F_LOOPBACK));
	value_add(rq, value_null(a));
	p = value_pack(a, rq, &n);
	if (p == NULL || core_submit(bench.core, 1, ++bench.next_id, p, n) != ERR_OK)
		die("submit", path);
}

static void run(void)
{
	struct err e;

	if (core_run_batch(bench.core, &e) != ERR_OK)
		die("batch", e.msg);
}

static void ask(int method, const char *path, struct value *body)
{
	uint64_t before = bench.replies;

	submit(method, path, bench.token[0] != '\0' ? bench.token : NULL, body);
	while (bench.replies == before)
		run();
	if (bench.status != 200)
		die("setting up", path);
}

static void start(const char *dir)
{
	AUTO_ARENA a = arena_new((size_t)16 * 1024 * 1024);
	struct value *body = value_object(a);
	struct core_options o = {
		.data_dir = dir,
		.clock = clock_system(),
		.reply = on_reply,
		.state = on_state,
	};
	char root[64], key[96];
	struct err e;

	if (keymem_init(true, &e) != ERR_OK || core_open(&o, &bench.core, &e) != ERR_OK)
		die("start", e.msg);
	value_set_int(a, body, "secret_shares", 1);
	value_set_int(a, body, "secret_threshold", 1);
	ask(HTTP_POST, "sys/init", body);
	snprintf(key, sizeof(key), "%s",
	         value_to_cstr(value_at(value_get(bench.body, "keys_base64"), 0), a));
	snprintf(root, sizeof(root), "%s",
	         value_cstr_or(a, bench.body, "root_token", ""));
	body = value_object(a);
	value_set_str(a, body, "key", key);
	ask(HTTP_POST, "sys/unseal", body);
	memcpy(bench.token, root, sizeof(root));
}

static void fill(void)
{
	AUTO_ARENA a = arena_new((size_t)16 * 1024 * 1024);

	for (unsigned i = 0; i < SECRETS; i++) {
		struct value *body = value_object(a), *data = value_object(a);
		char path[64], password[40];

		snprintf(path, sizeof(path), "secret/data/bench/%04u", i);
		snprintf(password, sizeof(password), "%032u", i);
		value_set_str(a, data, "username", "app");
		value_set_str(a, data, "password", arena_str(a, password));
		value_set(body, "data", data);
		ask(HTTP_POST, path, body);
		arena_reset(a);
	}
}

static double cpu_us(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

__attribute__((noinline)) static void read_all(unsigned batches, unsigned size)
{
	uint64_t before = bench.replies;
	double took = cpu_us();
	unsigned at = 0;

	for (unsigned b = 0; b < batches; b++) {
		for (unsigned i = 0; i < size; i++) {
			char path[64];

			at = (at + 617) % SECRETS;
			snprintf(path, sizeof(path), "secret/data/bench/%04u", at);
			submit(HTTP_GET, path, bench.token, NULL);
		}
		run();
	}
	took = cpu_us() - took;
	while (bench.replies < before + (uint64_t)batches * size)
		run();
	printf("%llu reads, %.2f us CPU each\n", (unsigned long long)batches * size,
	       took / batches / size);
}

int main(int argc, char **argv)
{
	unsigned batches = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 2000;
	unsigned size = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 32;

	if (argc < 2 || batches == 0 || size == 0)
		die("usage", "core-reads DIR [BATCHES [SIZE]]");
	bench.a = arena_new((size_t)1024 * 1024);
	if (sodium_init() < 0 || bench.a == NULL)
		die("start", "libsodium");
	bench.keep = true;
	start(argv[1]);
	fill();
	bench.keep = false;
	read_all(batches, size);
	core_close(bench.core);
	arena_free(bench.a);
	return 0;
}
