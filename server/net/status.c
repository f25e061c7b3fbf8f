/* SPDX-License-Identifier: Apache-2.0 */
/* status - sys/health, sys/seal-status and sys/leader, answered from what core last said.
 */
#include <string.h>

#include "clock.h"
#include "net.h"
#include "vault/version.h"

static void copy_text(char *out, size_t cap, const struct value *object, const char *key)
{
	const struct value *v = value_get(object, key);
	size_t n = v != NULL && v->type == V_STRING ? v->len : 0;

	if (n >= cap)
		n = cap - 1;
	if (n > 0)
		memcpy(out, v->text, n);
	out[n] = '\0';
}

void state_store(struct core_state *s, const struct value *v)
{
	s->initialized = value_bool_or(v, "initialized", false);
	s->sealed = value_bool_or(v, "sealed", true);
	s->recovery_seal = value_bool_or(v, "recovery_seal", false);
	s->t = value_int_or(v, "t", 0);
	s->n = value_int_or(v, "n", 0);
	s->progress = value_int_or(v, "progress", 0);
	copy_text(s->nonce, sizeof(s->nonce), v, "nonce");
	copy_text(s->type, sizeof(s->type), v, "type");
	copy_text(s->cluster_id, sizeof(s->cluster_id), v, "cluster_id");
	copy_text(s->cluster_name, sizeof(s->cluster_name), v, "cluster_name");
	s->known = true;
}

/* A status code from the query: "&sealedcode=200".  -1 if it is no such code. */
static int code_override(const struct value *query, const char *key, unsigned *code)
{
	const struct value *v = value_get(query, key);
	int64_t n;

	if (v != NULL && v->type == V_ARRAY)
		v = v->first;
	if (v == NULL)
		return 0;
	if (value_to_int(v, &n) != 0 || n < 200 || n > 599)
		return -1;
	*code = (unsigned)n;
	return 0;
}

enum { HEALTH_ACTIVE, HEALTH_SEALED, HEALTH_UNINIT, HEALTH_UNUSED };

static int health_code(const struct value *query, int state, unsigned *status)
{
	static const char *const keys[] = {
		"activecode",      "sealedcode",      "uninitcode",
		"standbycode",     "drsecondarycode", "performancestandbycode",
		"haunhealthycode", "removedcode",
	};
	unsigned code[ARRAY_LEN(keys)] = { 200, 503, 501 };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (code_override(query, keys[i], &code[i]) != 0)
			return -1;
	*status = code[state];
	return 0;
}

static void set_cluster(struct arena *a, struct value *v, const struct core_state *s)
{
	value_set_str(a, v, "cluster_name", s->cluster_name);
	value_set_str(a, v, "cluster_id", s->cluster_id);
}

static void health(struct conn *c, const struct value *query)
{
	const struct core_state *s = &c->net->state;
	struct arena *a = c->net->a;
	struct value *v = value_object(a);
	bool known = s->known && core_up(c->net);
	bool sealed = !known || s->sealed;
	bool initialized = !s->known || s->initialized;
	int state = !initialized ? HEALTH_UNINIT : sealed ? HEALTH_SEALED : HEALTH_ACTIVE;
	unsigned status;

	if (health_code(query, state, &status) != 0) {
		answer_errors(c, 400, "malformed query", NULL);
		return;
	}
	value_set_bool(a, v, "initialized", initialized);
	value_set_bool(a, v, "sealed", sealed);
	value_set_bool(a, v, "standby", false);
	value_set_bool(a, v, "performance_standby", false);
	value_set_str(a, v, "replication_performance_mode", "disabled");
	value_set_str(a, v, "replication_dr_mode", "disabled");
	value_set_int(a, v, "server_time_utc", clock_wall(clock_system()) / 1000);
	value_set_str(a, v, "version", VAULT_API_VERSION);
	value_set_bool(a, v, "enterprise", false);
	if (!sealed)
		set_cluster(a, v, s);
	answer_json(c, status, v);
}

static void seal_status(struct conn *c)
{
	const struct core_state *s = &c->net->state;
	struct arena *a = c->net->a;
	struct value *v = value_object(a);

	value_set_str(a, v, "type", s->type);
	value_set_bool(a, v, "initialized", s->initialized);
	value_set_bool(a, v, "sealed", s->sealed);
	value_set_int(a, v, "t", s->t);
	value_set_int(a, v, "n", s->n);
	value_set_int(a, v, "progress", s->progress);
	value_set_str(a, v, "nonce", s->nonce);
	value_set_str(a, v, "version", VAULT_API_VERSION);
	value_set_str(a, v, "build_date", VAULT_BUILD_DATE);
	value_set_bool(a, v, "migration", false);
	if (!s->sealed)
		set_cluster(a, v, s);
	value_set_bool(a, v, "recovery_seal", s->recovery_seal);
	value_set_str(a, v, "storage_type", "sqlite");
	answer_json(c, 200, v);
}

static void leader(struct conn *c)
{
	struct arena *a = c->net->a;
	struct value *v = value_object(a);

	value_set_bool(a, v, "ha_enabled", false);
	value_set_bool(a, v, "is_self", false);
	value_set_str(a, v, "active_time", "0001-01-01T00:00:00Z");
	value_set_str(a, v, "leader_address", "");
	value_set_str(a, v, "leader_cluster_address", "");
	value_set_bool(a, v, "performance_standby", false);
	value_set_int(a, v, "performance_standby_last_remote_wal", 0);
	answer_json(c, 200, v);
}

bool status_answer(struct conn *c, const char *path, const struct value *query)
{
	bool is_health = strcmp(path, "sys/health") == 0;
	bool is_leader = strcmp(path, "sys/leader") == 0;

	if (!is_health && !is_leader && strcmp(path, "sys/seal-status") != 0)
		return false;
	if (c->method != HTTP_GET && !(is_health && c->method == HTTP_HEAD))
		answer_errors(c, 405, "unsupported method", NULL);
	else if (is_health)
		health(c, query);
	else if (is_leader)
		leader(c);
	else if (c->net->state.known && core_up(c->net))
		seal_status(c);
	else
		return false;
	return true;
}
