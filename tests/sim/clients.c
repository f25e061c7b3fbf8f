/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

static bool doubtful(const struct world *w, const struct m_token *t)
{
	return t->maybe || (w->wall >= t->expires_wall) != (w->boot >= t->expires_boot);
}

static bool being_made(const struct world *w, int slot)
{
	for (int i = 0; i < CLIENTS; i++)
		if (w->call[i].busy && w->call[i].op.kind == DO_TOKEN &&
		    w->call[i].op.slot == slot)
			return true;
	return false;
}

/* Mostly root; else any token that was ever handed out, alive or not, none, or nonsense.
 */
static int pick_token(struct world *w)
{
	uint32_t dice = rnd(w, 100);
	int slot = (int)rnd(w, TOKENS);

	if (dice < 45)
		return -1;
	if (dice < 50)
		return -2;
	if (dice < 53)
		return -3;
	return w->m.token[slot].text[0] != '\0' && !being_made(w, slot) ? slot : -1;
}

static bool in_flight(const struct world *w, enum op_kind kind)
{
	for (int i = 0; i < CLIENTS; i++)
		if (w->call[i].busy && w->call[i].op.kind == kind)
			return true;
	return false;
}

static int free_slot(struct world *w)
{
	int slot = (int)rnd(w, TOKENS);

	for (int i = 0; i < CLIENTS; i++)
		if (w->call[i].busy &&
		    (w->call[i].op.slot == slot || w->call[i].op.token == slot))
			return -1;
	return slot;
}

/* A place for a wrapped reply that nobody is asking about, or one that can be asked for,
 * used or not; -1. */
static int pick_wrap(struct world *w, bool fresh)
{
	int at = (int)rnd(w, WRAPS);
	const struct m_wrap *wrap = &w->m.wrap[at];

	for (int i = 0; i < CLIENTS; i++)
		if (w->call[i].busy && w->call[i].op.wrap == at &&
		    (fresh || w->call[i].op.kind == DO_WRAP))
			return -1;
	if (!fresh && (!wrap->used || wrap->text[0] == '\0' ||
	               (wrap->maybe && w->boot < wrap->expires_boot)))
		return -1;
	return at;
}

static enum op_kind pick_kind(struct world *w)
{
	static const struct {
		enum op_kind kind;
		unsigned weight;
	} mix[] = {
		{DO_PUT,          24},
                { DO_GET,         30},
                { DO_DELETE,      4 },
		{ DO_UNDELETE,    4 },
                { DO_DESTROY,     3 },
                { DO_PURGE,       2 },
		{ DO_LIST,        4 },
                { DO_TOKEN,       9 },
                { DO_REVOKE,      7 },
		{ DO_POLICY,      8 },
                { DO_LOOKUP,      3 },
                { DO_ROTATE,      3 },
		{ DO_WRAP,        4 },
                { DO_UNWRAP,      7 },
                { DO_MOUNT,       2 },
		{ DO_UNMOUNT,     1 },
                { DO_FLAT_PUT,    5 },
                { DO_FLAT_GET,    4 },
		{ DO_FLAT_DELETE, 1 },
                { DO_BAD,         3 },
	};
	uint32_t total = 0, at;

	for (size_t i = 0; i < sizeof(mix) / sizeof(mix[0]); i++)
		total += mix[i].weight;
	at = rnd(w, total);
	for (size_t i = 0;; i++) {
		if (at < mix[i].weight)
			return mix[i].kind;
		at -= mix[i].weight;
	}
}

static void choose(struct world *w, struct sim_op *op)
{
	*op = (struct sim_op){ .kind = pick_kind(w),
		               .path = (int)rnd(w, PATHS),
		               .token = pick_token(w),
		               .cas = -1,
		               .slot = -1,
		               .wrap = -1 };
	if (op->kind == DO_TOKEN || op->kind == DO_REVOKE) {
		op->slot = free_slot(w);
		op->token = -1;
		if (op->slot < 0 ||
		    (op->kind == DO_REVOKE && w->m.token[op->slot].accessor[0] == '\0'))
			op->kind = DO_GET;
	}
	if (op->kind == DO_WRAP || op->kind == DO_UNWRAP) {
		op->wrap = pick_wrap(w, op->kind == DO_WRAP);
		op->token = -1;
		if (op->wrap < 0)
			op->kind = DO_GET;
	}
	if (op->kind == DO_ROTATE) {
		op->token = -1;
		op->path = 2 + (int)rnd(w, 2);
		if (in_flight(w, DO_ROTATE))
			op->kind = DO_GET;
	}
	if (op->token >= 0 && doubtful(w, &w->m.token[op->token]))
		op->kind = DO_GET;
	if (op->kind == DO_GET && rnd(w, 3) == 0)
		op->version = 1 + (int)rnd(w, (uint32_t)w->m.path[op->path].current + 2);
	if (op->kind == DO_UNDELETE || op->kind == DO_DESTROY)
		op->version = 1 + (int)rnd(w, (uint32_t)w->m.path[op->path].current + 1);
	if (op->kind == DO_POLICY)
		op->policy = (int)rnd(w, 2);
}

static struct value *one(struct arena *a, const char *key, struct value *v)
{
	struct value *o = value_object(a);

	value_set(o, key, v);
	return o;
}

static void send_put(struct world *w, int actor, const char *path, const char *token)
{
	struct call *c = &w->call[actor];
	struct value *body = value_object(c->a), *options;
	char text[48];

	c->op.tag = ++w->next_tag;
	model_value(c->op.tag, text);
	value_set(body, "data", one(c->a, "v", value_strdup(c->a, text, strlen(text))));
	if (rnd(w, 2) == 0) {
		/* usually what it should be, when nothing else is under way */
		c->op.cas = w->m.path[c->op.path].current + (rnd(w, 4) == 0);
		options = one(c->a, "cas", value_int(c->a, c->op.cas));
		value_set(body, "options", options);
	}
	world_submit(w, actor, HTTP_POST, path, token, body);
}

static void send_flat_put(struct world *w, int actor, const char *path, const char *token)
{
	struct call *c = &w->call[actor];
	char text[48];

	c->op.tag = ++w->next_tag;
	model_value(c->op.tag, text);
	world_submit(w, actor, HTTP_POST, path, token,
	             one(c->a, "v", value_strdup(c->a, text, strlen(text))));
}

static void send_mount(struct world *w, int actor, const char *token)
{
	struct call *c = &w->call[actor];

	world_submit(w, actor, HTTP_POST, "sys/mounts/flat", token,
	             one(c->a, "type", value_str(c->a, "kv")));
}

static void send_versions(struct world *w, int actor, const char *path, const char *token)
{
	struct call *c = &w->call[actor];
	struct value *list = value_array(c->a);

	value_add(list, value_int(c->a, c->op.version));
	world_submit(w, actor, HTTP_POST, path, token, one(c->a, "versions", list));
}

static void send_token(struct world *w, int actor, const char *token)
{
	struct call *c = &w->call[actor];
	struct value *body = value_object(c->a), *policies = value_array(c->a);

	c->op.reader = rnd(w, 2) == 0;
	if (rnd(w, 3) == 0)
		c->op.uses = 1 + rnd(w, 3);
	else if (rnd(w, 2) == 0)
		c->op.ttl_ms = 1000 * (1 + (int64_t)rnd(w, 60));
	c->op.batch = c->op.reader && c->op.ttl_ms > 0;
	if (c->op.batch)
		value_set_str(c->a, body, "type", "batch");
	value_add(policies, value_str(c->a, c->op.reader ? "reader" : "root"));
	value_set(body, "policies", policies);
	if (c->op.uses > 0)
		value_set_int(c->a, body, "num_uses", c->op.uses);
	if (c->op.ttl_ms > 0)
		value_set_int(c->a, body, "ttl", c->op.ttl_ms / 1000);
	else if (c->op.reader)
		value_set_str(c->a, body, "period", "720h");
	world_submit(w, actor, HTTP_POST, "auth/token/create", token, body);
}

static void send_wrap(struct world *w, int actor, const char *token)
{
	struct call *c = &w->call[actor];
	char text[48];

	c->op.tag = ++w->next_tag;
	c->op.ttl_ms = 1000 * (1 + (int64_t)rnd(w, 60));
	model_value(c->op.tag, text);
	world_submit(w, actor, HTTP_POST, "sys/wrapping/wrap", token,
	             one(c->a, "v", value_strdup(c->a, text, strlen(text))));
}

/* By someone else, or by the token itself. */
static void send_unwrap(struct world *w, int actor, const char *token)
{
	struct call *c = &w->call[actor];
	const char *text = w->m.wrap[c->op.wrap].text;

	if (rnd(w, 2) == 0)
		world_submit(w, actor, HTTP_POST, "sys/wrapping/unwrap", text, NULL);
	else
		world_submit(w, actor, HTTP_POST, "sys/wrapping/unwrap", token,
		             one(c->a, "token", value_str(c->a, text)));
}

static void send_policy(struct world *w, int actor, const char *token)
{
	static const char *const texts[] = {
		"path \"secret/data/dir/*\" { capabilities = [\"read\"] }",
		"path \"secret/data/nothing\" { capabilities = [\"read\"] }",
	};
	struct call *c = &w->call[actor];

	world_submit(w, actor, HTTP_POST, "sys/policies/acl/reader", token,
	             one(c->a, "policy", value_str(c->a, texts[c->op.policy])));
}

/* Things that must be refused and change nothing. */
static void send_bad(struct world *w, int actor, const char *token)
{
	struct call *c = &w->call[actor];

	switch (rnd(w, 4)) {
	case 0:
		world_submit(w, actor, HTTP_POST, "secret/data/a", token,
		             one(c->a, "nonsense", value_int(c->a, 1)));
		return;
	case 1:
		world_submit(w, actor, HTTP_GET, "sys/nothing/here", token, NULL);
		return;
	case 2:
		world_submit(w, actor, HTTP_POST, "sys/policies/acl/reader", token,
		             one(c->a, "policy", value_str(c->a, "path {")));
		return;
	default:
		world_submit(w, actor, HTTP_POST, "auth/token/revoke-accessor", token,
		             one(c->a, "accessor", value_str(c->a, "unknown")));
	}
}

/* KV version 1, and its mount. */
static void send_flat(struct world *w, int actor, const char *token)
{
	struct call *c = &w->call[actor];
	const char *path = arena_printf(c->a, "flat/%s", sim_paths[c->op.path]);

	switch (c->op.kind) {
	case DO_MOUNT:
		send_mount(w, actor, token);
		break;
	case DO_UNMOUNT:
		world_submit(w, actor, HTTP_DELETE, "sys/mounts/flat", token, NULL);
		break;
	case DO_FLAT_PUT:
		send_flat_put(w, actor, path, token);
		break;
	default:
		world_submit(w, actor, c->op.kind == DO_FLAT_GET ? HTTP_GET : HTTP_DELETE,
		             path, token, NULL);
	}
}

static char *kv(struct call *c, const char *kind)
{
	return arena_printf(c->a, "secret/%s/%s", kind, sim_paths[c->op.path]);
}

void client_act(struct world *w, int actor)
{
	struct call *c = &w->call[actor];
	const char *token;

	choose(w, &c->op);
	token = model_token(w, &w->m, c->op.token);
	switch (c->op.kind) {
	case DO_PUT:
		send_put(w, actor, kv(c, "data"), token);
		break;
	case DO_GET:
		world_submit(w, actor, HTTP_GET, kv(c, "data"), token,
		             c->op.version > 0 ? one(c->a, "version",
		                                     value_int(c->a, c->op.version))
		                               : NULL);
		break;
	case DO_DELETE:
		world_submit(w, actor, HTTP_DELETE, kv(c, "data"), token, NULL);
		break;
	case DO_UNDELETE:
		send_versions(w, actor, kv(c, "undelete"), token);
		break;
	case DO_DESTROY:
		send_versions(w, actor, kv(c, "destroy"), token);
		break;
	case DO_PURGE:
		world_submit(w, actor, HTTP_DELETE, kv(c, "metadata"), token, NULL);
		break;
	case DO_LIST:
		world_submit(w, actor, HTTP_LIST, "secret/metadata", token, NULL);
		break;
	case DO_TOKEN:
		send_token(w, actor, token);
		break;
	case DO_REVOKE:
		world_submit(w, actor, HTTP_POST, "auth/token/revoke-accessor", token,
		             one(c->a, "accessor",
		                 value_str(c->a, w->m.token[c->op.slot].accessor)));
		break;
	case DO_POLICY:
		send_policy(w, actor, token);
		break;
	case DO_LOOKUP:
		world_submit(w, actor, HTTP_GET, "auth/token/lookup-self", token, NULL);
		break;
	case DO_WRAP:
		send_wrap(w, actor, token);
		break;
	case DO_UNWRAP:
		send_unwrap(w, actor, token);
		break;
	case DO_ROTATE: {
		struct value *body = one(c->a, "wait", value_bool(c->a, false));

		value_set_str(c->a, body, "timeout", "20s");
		world_submit(w, actor, HTTP_POST,
		             arena_printf(c->a, "sys/rotation/rotate/secret/%s",
		                          sim_paths[c->op.path]),
		             token, body);
		break;
	}
	case DO_MOUNT:
	case DO_UNMOUNT:
	case DO_FLAT_PUT:
	case DO_FLAT_GET:
	case DO_FLAT_DELETE:
		send_flat(w, actor, token);
		break;
	default:
		send_bad(w, actor, token);
	}
}
