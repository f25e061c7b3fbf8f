/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swarm_lead - which of the hosts of a Swarm acts.
 *
 * Two that both believe so only waste calls (docs/swarm.md); the epoch keeps the one that
 * was replaced from writing down what the other has to rely on.
 */
#include <string.h>

#include "arena.h"
#include "swarm.h"

void swarm_cluster_id(struct core *c, const char *cluster, unsigned char out[32])
{
	store_blind(c, out, "swarm-cluster", cluster, strlen(cluster), NULL, 0);
}

static bool take_host(const struct value *b, const char *key, unsigned char out[HOST_ID])
{
	const struct value *v = value_get(b, key);

	if (v == NULL || v->type != V_BYTES || v->len != HOST_ID)
		return false;
	memcpy(out, v->text, HOST_ID);
	return true;
}

int swarm_cluster_read(struct arena *a, const struct store_object *o,
                       struct swarm_cluster *out, struct err *e)
{
	const struct value *b = o->body;

	memset(out, 0, sizeof(*out));
	out->o = *o;
	out->cluster = value_cstr_or(a, b, "cluster", NULL);
	out->epoch = value_int_or(b, "epoch", -1);
	out->held = value_bool_or(b, "held", false);
	out->host_name = value_cstr_or(a, b, "host_name", "");
	out->node = value_cstr_or(a, b, "node", "");
	out->raft = value_bool_or(b, "raft", false);
	out->since_ms = value_int_or(b, "since", 0);
	out->expires_ms = value_int_or(b, "expires", 0);
	out->boot_due_ms = value_int_or(b, "boot_due", 0);
	out->better_ms = value_int_or(b, "better_until", 0);
	out->said_generation = value_int_or(b, "said_generation", 0);
	out->said_ms = value_int_or(b, "said", -1);
	if (out->cluster == NULL || out->epoch < 0 || !take_host(b, "host", out->host) ||
	    !take_host(b, "better", out->better))
		return err_set(e, ERR_INTEGRITY, "a Swarm's record is malformed");
	return ERR_OK;
}

int swarm_cluster_load(struct core *c, struct arena *a, const char *cluster,
                       struct swarm_cluster *out, struct err *e)
{
	struct store_object o = { .version = 0 };
	unsigned char id[32];
	int rc;

	swarm_cluster_id(c, cluster, id);
	rc = store_get(c, a, KIND_SWARM_CLUSTER, id, sizeof(id), &o, e);
	if (rc == ERR_OK)
		return swarm_cluster_read(a, &o, out, e);
	if (rc != ERR_NOENT)
		return rc;
	memset(out, 0, sizeof(*out));
	out->o.kind = KIND_SWARM_CLUSTER;
	out->o.id_len = sizeof(id);
	memcpy(out->o.id, id, sizeof(id));
	out->cluster = cluster;
	out->host_name = out->node = "";
	out->said_ms = -1;
	return ERR_NOENT;
}

static int save(struct core *c, struct arena *a, struct swarm_cluster *k, struct err *e)
{
	struct value *b = value_object(a);

	value_set_str(a, b, "cluster", k->cluster);
	value_set_int(a, b, "epoch", k->epoch);
	value_set_bool(a, b, "held", k->held);
	value_set_bytes(a, b, "host", k->host, HOST_ID);
	value_set_str(a, b, "host_name", k->host_name);
	value_set_str(a, b, "node", k->node);
	value_set_bool(a, b, "raft", k->raft);
	value_set_int(a, b, "since", k->since_ms);
	value_set_int(a, b, "expires", k->expires_ms);
	value_set_int(a, b, "boot_due", k->boot_due_ms);
	value_set_bytes(a, b, "better", k->better, HOST_ID);
	value_set_int(a, b, "better_until", k->better_ms);
	value_set_int(a, b, "said_generation", k->said_generation);
	value_set_int(a, b, "said", k->said_ms);
	k->o.body = b;
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return store_put(c, &k->o, e);
}

/* Whichever clock says that it is over is believed; so is one that says that it would
 * last longer than it can, since it was set back. */
bool swarm_led(const struct core *c, const struct swarm_cluster *k)
{
	int64_t wall = k->expires_ms - c->now_ms, boot = k->boot_due_ms - c->boot_ms;

	return k->held && wall > 0 && wall <= SWARM_TTL_MS && boot > 0 &&
	       boot <= SWARM_TTL_MS;
}

bool swarm_leads(const struct core *c, const struct swarm_cluster *k,
                 const struct host *h)
{
	return swarm_led(c, k) && memcmp(k->host, h->o.id, HOST_ID) == 0;
}

bool swarm_is_news(const struct swarm_cluster *k, const struct host *h,
                   int64_t generation, int64_t boot_ms)
{
	return memcmp(k->host, h->o.id, HOST_ID) != 0 ||
	       generation > k->said_generation ||
	       (generation == k->said_generation && boot_ms > k->said_ms);
}

int swarm_heard(struct core *c, struct arena *a, struct swarm_cluster *k,
                int64_t generation, int64_t boot_ms, struct err *e)
{
	k->said_generation = generation;
	k->said_ms = boot_ms;
	return save(c, a, k, e);
}

/* Does another host, on the node that leads the managers, wait for it? */
static bool gives_way(const struct core *c, const struct swarm_cluster *k,
                      const struct swarm_ask *ask)
{
	int64_t left = k->better_ms - c->now_ms;

	return !ask->raft && left > 0 && left <= SWARM_TTL_MS &&
	       memcmp(k->better, ask->h->o.id, HOST_ID) != 0;
}

static int end(struct core *c, struct arena *a, struct swarm_cluster *k,
               const struct swarm_ask *ask, struct err *e)
{
	k->held = false;
	k->changed = true;
	return swarm_heard(c, a, k, ask->generation, ask->boot_ms, e);
}

/* Another leads.  One on the better node is remembered, for a while. */
static int await_turn(struct core *c, struct arena *a, struct swarm_cluster *k,
                      const struct swarm_ask *ask, struct err *e)
{
	if (!ask->raft || k->raft)
		return ERR_OK;
	k->changed = memcmp(k->better, ask->h->o.id, HOST_ID) != 0;
	memcpy(k->better, ask->h->o.id, HOST_ID);
	k->better_ms = c->now_ms + SWARM_TTL_MS;
	return save(c, a, k, e);
}

static int lead(struct core *c, struct arena *a, struct swarm_cluster *k,
                const struct swarm_ask *ask, struct err *e)
{
	int rc;

	/* From the one counter of all changes: it never comes back, whatever is deleted.
	 */
	if (!swarm_leads(c, k, ask->h)) {
		if ((rc = lease_rev(c, a, true, &k->epoch, e)) != ERR_OK)
			return rc;
		k->since_ms = c->now_ms;
		k->changed = true;
	}
	k->changed = k->changed || strcmp(k->node, ask->node) != 0 ||
	             k->raft != ask->raft;
	k->held = true;
	memcpy(k->host, ask->h->o.id, HOST_ID);
	k->host_name = ask->h->name;
	k->node = ask->node;
	k->raft = ask->raft;
	if (ask->raft)
		k->better_ms = 0;
	k->expires_ms = c->now_ms + SWARM_TTL_MS;
	k->boot_due_ms = c->boot_ms + SWARM_TTL_MS;
	return swarm_heard(c, a, k, ask->generation, ask->boot_ms, e);
}

struct eligible {
	struct arena *a;
	const char *role, *cluster;
	bool found;
};

static int look(void *ctx, struct store_object *o, struct err *e)
{
	struct eligible *x = ctx;
	struct swarm_binding b;
	int rc = swarm_read(x->a, o, &b, e);

	if (rc == ERR_OK && swarm_serves(&b, x->role, x->cluster))
		x->found = true;
	return rc;
}

int swarm_elect(struct core *c, struct arena *a, struct swarm_cluster *k,
                const struct swarm_ask *ask, const char **reason, struct err *e)
{
	struct eligible x = { .a = a, .role = ask->h->role, .cluster = k->cluster };
	bool mine = swarm_leads(c, k, ask->h);
	int rc;

	*reason = "";
	if (!swarm_is_news(k, ask->h, ask->generation, ask->boot_ms))
		return ERR_OK;
	if (ask->resign)
		return mine ? end(c, a, k, ask, e) : ERR_OK;
	rc = store_each(c, a, KIND_SWARM, NULL, 0, SWARM_BINDINGS, look, &x, e);
	if (rc != ERR_OK)
		return rc;
	if (!x.found) {
		*reason = "no binding of this cluster is for hosts of this role";
		return mine ? end(c, a, k, ask, e) : ERR_OK;
	}
	if (swarm_led(c, k) && !mine)
		return await_turn(c, a, k, ask, e);
	if (gives_way(c, k, ask)) {
		*reason = "the agent on the leading manager goes first";
		return mine ? end(c, a, k, ask, e) : ERR_OK;
	}
	if (k->o.version == 0 && store_count(c, KIND_SWARM_CLUSTER) >= SWARM_CLUSTERS) {
		*reason = "the vault knows too many clusters: remove one";
		return ERR_OK;
	}
	return lead(c, a, k, ask, e);
}
