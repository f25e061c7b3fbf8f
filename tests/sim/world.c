/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "farm.h"
#include "rng.h"
#include "sim.h"
#include "store.h"
#include "vault/limits.h"

#define ORACLE_ACTOR 1000u
#define START_WALL   1790000000000ll
#define RUNS_MAX     50 /* of the loop for one step of the simulation */

void fail(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->failure[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(w->failure, sizeof(w->failure), fmt, ap);
	va_end(ap);
}

static uint64_t splitmix(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint32_t rnd(struct world *w, uint32_t n)
{
	return (uint32_t)(splitmix(&w->rnd) % n);
}

/* libsodium's randomness for the core: a stream of its own, so that what the clients
 * choose does not depend on how many bytes the core takes. */
static uint64_t core_stream;

static uint32_t det_random(void)
{
	return (uint32_t)splitmix(&core_stream);
}

static void det_buf(void *p, size_t n)
{
	unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		b[i] = (unsigned char)splitmix(&core_stream);
}

static const char *det_name(void)
{
	return "simulated";
}

static struct randombytes_implementation det = {
	.implementation_name = det_name,
	.random = det_random,
	.buf = det_buf,
};

static int64_t wall_ms(void *ctx)
{
	return ((struct world *)ctx)->wall;
}

static int64_t boot_ms(void *ctx)
{
	return ((struct world *)ctx)->boot;
}

static void on_state(void *ctx, const struct value *state)
{
	(void)ctx;
	(void)state;
}

static void remember(struct world *w, const struct value *request_id, bool foldable)
{
	struct seen *s;

	if (request_id == NULL || request_id->type != V_STRING || request_id->len != 36) {
		fail(w, "a reply carries no request id");
		return;
	}
	if (w->nseen == REQUESTS_MAX) {
		fail(w, "the simulator's own table of requests is full");
		return;
	}
	s = &w->seen[w->nseen++];
	memcpy(s->id, request_id->text, 36);
	s->id[36] = '\0';
	s->foldable = foldable;
}

static void forget_order(struct world *w, struct call *c)
{
	int n = 0;

	for (int i = 0; i < w->ordered; i++)
		if (w->order[i] != c)
			w->order[n++] = w->order[i];
	w->ordered = n;
}

static void judge(struct world *w, int actor, int status, const struct value *body)
{
	struct call *c = &w->call[actor];
	struct expect exp = { 0 };

	forget_order(w, c);
	if (status == 503 && (w->disk_full || w->sealed)) {
		/* nothing of the batch happened */
		if (c->op.kind == DO_AGENT)
			agent_lost(w, actor - CLIENTS);
	} else if (c->op.kind == DO_AGENT) {
		agent_reply(w, actor - CLIENTS, status, body);
	} else {
		model_apply(w, &w->m, c, &exp);
		model_judge(w, c, &exp, status, body);
	}
	c->busy = false;
	arena_reset(c->a);
	w->ops++;
}

/* A reply that was unwrapped carries the id of the request that it answered first. */
static bool has_older_id(const struct world *w, uint64_t peer, int64_t status)
{
	return peer >= 1 && peer <= CLIENTS && status == 200 &&
	       w->call[peer - 1].op.kind == DO_UNWRAP;
}

static void take_reply(struct world *w, uint64_t peer, uint64_t id,
                       const struct value *reply)
{
	int64_t status = 0;

	(void)value_to_int(value_at(reply, IPC_RP_STATUS), &status);
	if (status != 503 && !has_older_id(w, peer, status))
		remember(w, value_at(reply, IPC_RP_REQUEST_ID),
		         status == 403 || (status >= 400 && peer > CLIENTS));
	if (peer == ORACLE_ACTOR) {
		if (id != w->ask_id)
			return;
		w->ask_status = (int)status;
		w->ask_body = value_copy(w->ask_arena, value_at(reply, IPC_RP_BODY));
		return;
	}
	if (peer == 0 || peer > ACTORS || !w->call[peer - 1].busy ||
	    w->call[peer - 1].id != id) {
		fail(w, "a reply to a request that is not under way");
		return;
	}
	judge(w, (int)peer - 1, (int)status, value_at(reply, IPC_RP_BODY));
}

/* As net would see it: encoded and decoded. */
static void on_reply(void *ctx, uint64_t peer, uint64_t id, const struct value *reply)
{
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA);
	struct value *decoded;
	unsigned char *p;
	struct err e;
	size_t n;

	assert(a != NULL);
	p = value_pack(a, reply, &n);
	if (p == NULL || value_decode(a, p, n, &decoded, &e) != ERR_OK)
		fail(ctx, "a reply that cannot be decoded");
	else
		take_reply(ctx, peer, id, decoded);
}

static int open_core(struct world *w, struct err *e)
{
	const struct core_options o = {
		.data_dir = "",
		.db_vfs = "sim",
		.clock = &w->clock,
		.pwhash_in_line = true,
		.reply = on_reply,
		.state = on_state,
		.rotators = w->farm != NULL ? w->farm->rotators : NULL,
		.ctx = w,
	};
	int rc;

	rng_forget();
	rc = core_open(&o, &w->core, e);
	if (rc == ERR_OK && w->farm != NULL)
		farm_link(w);
	return rc;
}

static struct value *frame(struct arena *a, enum http_method method, const char *path,
                           const char *token, struct value *body, int64_t wrap_ms)
{
	bool watch = strcmp(path, "sys/agent/watch") == 0;
	bool query = method == HTTP_GET || method == HTTP_LIST || method == HTTP_SCAN ||
	             method == HTTP_DELETE;
	struct value *rq = value_array(a);

	value_add(rq, value_int(a, method));
	value_add(rq, value_str(a, path));
	value_add(rq, value_str(a, token));
	value_add(rq, value_str(a, "127.0.0.1"));
	value_add(rq, query && body != NULL ? body : value_null(a));
	value_add(rq, !query && body != NULL ? body : value_null(a));
	value_add(rq, value_int(a, wrap_ms / 1000));
	value_add(rq, value_int(a, watch ? IPC_ON_HOSTS : IPC_ON_API));
	value_add(rq, value_int(a, IPC_F_LOOPBACK));
	value_add(rq, value_null(a));
	return rq;
}

static void submit(struct world *w, uint64_t peer, uint64_t id, struct arena *a,
                   struct value *rq)
{
	size_t n;
	unsigned char *p = value_pack(a, rq, &n);

	assert(p != NULL);
	if (core_submit(w->core, peer, id, p, n) != ERR_OK)
		fail(w, "the core's queue is full");
}

void world_submit(struct world *w, int actor, enum http_method method, const char *path,
                  const char *token, struct value *body)
{
	struct call *c = &w->call[actor];

	c->busy = true;
	c->id = ++w->next_id;
	c->at_wall = w->wall;
	c->at_boot = w->boot;
	w->order[w->ordered++] = c;
	submit(w, (uint64_t)actor + 1, c->id, c->a,
	       frame(c->a, method, path, token, body,
	             c->op.kind == DO_WRAP ? c->op.ttl_ms : 0));
}

bool world_batch(struct world *w)
{
	struct err e = { 0 };
	int rc = ERR_OK;

	/* a batch may be cut by its own limits: run until nothing waits to be run now */
	for (int i = 0; i < RUNS_MAX; i++) {
		rc = core_run_batch(w->core, &e);
		if (rc != ERR_OK || crashvfs_crashed(w->disk) ||
		    core_wait_ms(w->core) != 0 || w->ordered == 0)
			break;
	}
	if (crashvfs_crashed(w->disk))
		return false;
	if (rc != ERR_OK)
		fail(w, "the core ended by itself: %s", e.msg);
	return true;
}

int world_ask(struct world *w, struct arena *a, enum http_method method, const char *path,
              const char *token, struct value *body, struct value **reply)
{
	struct err e;

	w->ask_id = ++w->next_id;
	w->ask_arena = a;
	w->ask_body = NULL;
	w->ask_status = 0;
	submit(w, ORACLE_ACTOR, w->ask_id, a, frame(a, method, path, token, body, 0));
	for (int i = 0; i < 100 && w->ask_status == 0; i++)
		if (core_run_batch(w->core, &e) != ERR_OK)
			break;
		else if (w->farm != NULL && w->farm->faultless)
			farm_work(w);
	if (reply != NULL)
		*reply = w->ask_body;
	return w->ask_status;
}

bool world_unseal(struct world *w)
{
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA);
	struct value *body = value_object(a);
	char key[80];

	sodium_bin2hex(key, sizeof(key), w->share.bytes, w->share.len);
	value_set(body, "key", value_strdup(a, key, strlen(key)));
	return world_ask(w, a, HTTP_POST, "sys/unseal", NULL, body, NULL) == 200;
}

static void keep(char *out, size_t cap, const struct value *v)
{
	if (v != NULL && v->len < cap) {
		memcpy(out, v->text, v->len);
		out[v->len] = '\0';
	}
}

static void setup(struct world *w, struct arena *a)
{
	struct value *body = value_object(a), *reply, *paths = value_array(a);
	char key[80] = "";

	value_set_int(a, body, "secret_shares", 1);
	value_set_int(a, body, "secret_threshold", 1);
	if (world_ask(w, a, HTTP_POST, "sys/init", NULL, body, &reply) != 200) {
		fail(w, "init was refused");
		return;
	}
	keep(key, sizeof(key), value_at(value_get(reply, "keys"), 0));
	keep(w->root, sizeof(w->root), value_get(reply, "root_token"));
	sodium_hex2bin(w->share.bytes, sizeof(w->share.bytes), key, strlen(key), NULL,
	               &w->share.len, NULL);
	if (!world_unseal(w)) {
		fail(w, "unseal was refused");
		return;
	}
	body = value_object(a);
	value_set_str(a, body, "policy",
	              "path \"secret/data/dir/*\" { capabilities = [\"read\"] }");
	if (world_ask(w, a, HTTP_POST, "sys/policies/acl/reader", w->root, body, NULL) !=
	    204)
		fail(w, "the policy was refused");
	body = value_object(a);
	value_add(paths, value_str(a, "secret/dir/*"));
	value_set(body, "paths", paths);
	if (world_ask(w, a, HTTP_POST, "sys/hosts/roles/web", w->root, body, NULL) >= 300)
		fail(w, "the host role was refused");
}

void world_open(struct world *w, uint64_t seed)
{
	struct arena *a = arena_new(LIMIT_REQUEST_ARENA);
	struct err e = { 0 };

	assert(a != NULL);
	w->seed = w->rnd = seed;
	core_stream = seed ^ 0x5eedu;
	if (randombytes_set_implementation(&det) != 0)
		fail(w, "no simulated randomness");
	w->wall = START_WALL;
	w->boot = 1000000;
	w->clock = (struct clock){ wall_ms, boot_ms, w };
	w->seen = calloc(REQUESTS_MAX, sizeof(*w->seen));
	w->disk = crashvfs_new("sim");
	assert(w->seen != NULL && w->disk != NULL);
	for (int i = 0; i < ACTORS; i++) {
		w->call[i].a = arena_new(LIMIT_REQUEST_ARENA);
		assert(w->call[i].a != NULL);
	}
	if (open_core(w, &e) != ERR_OK)
		fail(w, "open: %s", e.msg);
	else
		setup(w, a);
	arena_free(a);
}

void world_start(struct world *w, uint64_t seed)
{
	world_open(w, seed);
	for (int i = 0; i < AGENTS && w->failure[0] == '\0'; i++)
		agent_setup(w, i);
}

void world_stop(struct world *w)
{
	core_close(w->core);
	crashvfs_free(w->disk);
	for (int i = 0; i < ACTORS; i++)
		arena_free(w->call[i].a);
	free(w->seen);
}

/* The model as it is if all of the lost batch was committed. */
static void apply_lost(struct world *w, struct model *m, bool rotate_too)
{
	struct expect ignored;

	for (int i = 0; i < w->ordered; i++) {
		struct call *c = w->order[i];

		if (c->op.kind == DO_AGENT || (c->op.kind == DO_ROTATE && !rotate_too))
			continue;
		model_apply(w, m, c, &ignored);
	}
}

void world_drop_calls(struct world *w)
{
	for (int i = 0; i < ACTORS; i++) {
		struct call *c = &w->call[i];

		if (!c->busy)
			continue;
		if (c->op.kind == DO_AGENT)
			agent_lost(w, i - CLIENTS);
		c->busy = false;
		arena_reset(c->a);
	}
	w->ordered = 0;
}

/* None, all, or all with a rotation that was refused: exactly one of these happened. */
static void decide(struct world *w)
{
	struct model *none = malloc(sizeof(*none)), *all = malloc(sizeof(*all));
	char why[3][160] = { "", "", "" };

	assert(none != NULL && all != NULL);
	*none = w->m;
	*all = w->m;
	apply_lost(w, all, true);
	if (oracle_state(w, none, why[0], sizeof(why[0]))) {
		w->m = *none;
	} else if (oracle_state(w, all, why[1], sizeof(why[1]))) {
		w->m = *all;
	} else {
		*all = w->m;
		apply_lost(w, all, false);
		if (oracle_state(w, all, why[2], sizeof(why[2])))
			w->m = *all;
		else
			fail(w,
			     "after a crash the vault is neither as before the batch (%s) nor as "
			     "after it (%s)",
			     why[0], why[1]);
	}
	free(none);
	free(all);
}

bool world_reboot(struct world *w)
{
	enum crash_model how = (enum crash_model)rnd(w, 3);
	struct err e = { 0 };

	w->disk_full = w->sealed = false;
	crashvfs_fail(w->disk, CRASHVFS_ANY, 0, CRASHVFS_ENOSPC, false);
	core_close(w->core);
	w->core = NULL;
	crashvfs_reboot(w->disk, how,
	                ((uint64_t)rnd(w, 1u << 30) << 30) | rnd(w, 1u << 30));
	w->boot += 1000;
	w->wall += 1000;
	w->crashes++;
	if (open_core(w, &e) != ERR_OK)
		fail(w, "after a crash (model %d) the database does not open: %s",
		     (int)how, e.msg);
	else if (!world_unseal(w))
		fail(w, "after a crash (model %d) the vault does not unseal", (int)how);
	return w->failure[0] == '\0';
}

void world_recover(struct world *w)
{
	if (!world_reboot(w))
		return;
	decide(w);
	world_drop_calls(w);
}
