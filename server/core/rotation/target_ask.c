/* SPDX-License-Identifier: Apache-2.0 */
#include "target_ask.h"

#include <string.h>

#include "arena.h"
#include "rng.h"
#include "rotation.h"
#include "rotation_due.h"
#include "text.h"

#define DESCRIBE_MS 5000

static int ask(struct req *r, struct target_asking *w, const struct target *t,
               const char *op, int64_t timeout)
{
	struct step_order order = { .owner = STEP_FOR_REQUEST,
		                    .rotator = t->rotator,
		                    .timeout_ms = timeout };
	struct value *request = target_request(r->a, t, op, NULL), *admin;
	char *attempt = arena_alloc(r->a, 33);
	int rc = target_admin(r->core, r->a, t, &admin, &r->e);

	if (rc != ERR_OK)
		return rc;
	if (request == NULL || attempt == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rng_bytes(w->id, sizeof(w->id));
	text_hex(w->id, sizeof(w->id), attempt);
	value_set_str(r->a, request, "attempt", attempt);
	value_set_str(r->a, request, "secret", "");
	if (strcmp(op, "describe") != 0)
		value_set(request, "admin", admin);
	memcpy(order.id, w->id, sizeof(order.id));
	order.request = request;
	if ((rc = step_call(r->core, &order, &r->e)) != ERR_OK)
		return rc;
	return req_park(r, WAIT_STEP, w->id, r->core->boot_ms + timeout);
}

/* What it has said; ERR_* with its text if it refuses or does not answer. */
static int heard(struct req *r, struct target_asking *w, struct step_result *res)
{
	if (step_take(r->core, r->a, w->id, res) != ERR_OK)
		return req_fail(r, ERR_TIMEOUT, "the rotator has not answered in time");
	if (res->outcome == STEP_UNKNOWN)
		return req_fail(r, ERR_UNREACHABLE, "the rotator did not answer: %.150s",
		                res->reason);
	w->refused = res->status == STEP_ERROR && res->class == STEP_AUTH &&
	             w->what == ASK_LOGIN;
	w->admitted = res->status != STEP_ERROR && w->what == ASK_LOGIN;
	if (res->status == STEP_ERROR)
		return req_fail(r, ERR_INVALID, "the rotator says: %.200s", res->message);
	return ERR_OK;
}

static bool lists(const struct value *names, const struct value *key)
{
	for (const struct value *v = names->first; v != NULL; v = v->next)
		if (v->type == V_STRING && v->len == key->key_len &&
		    memcmp(v->text, key->key, v->len) == 0)
			return true;
	return false;
}

/* A setting whose name is written wrong would not be one: of "ssl_mode=verify-full"
 * nobody would be verified.  Vault's database engine has settings of other plugins, too.
 */
static int check_settings(struct req *r, const struct target *t)
{
	const struct value *names = value_get(t->describe, "config");

	if (memcmp(t->o.parent, target_sys_owner, TARGET_OWNER) != 0 || names == NULL ||
	    names->type != V_ARRAY)
		return ERR_OK;
	for (const struct value *v = t->config->first; v != NULL; v = v->next)
		if (!lists(names, v))
			return req_fail(r, ERR_INVALID,
			                "config: rotator \"%.64s\" has no setting "
			                "\"%.*s\": see 'vaultctl rotator describe %.64s'",
			                t->rotator,
			                (int)(v->key_len < 80 ? v->key_len : 80), v->key,
			                t->rotator);
	return ERR_OK;
}

int target_examine(struct req *r, struct target_asking *w, struct target *t, bool verify,
                   bool *done)
{
	struct step_result res = { .started = false };
	int rc;

	*done = false;
	if (w->what == ASK_NOTHING) {
		w->what = ASK_DESCRIBE;
		return ask(r, w, t, "describe", DESCRIBE_MS);
	}
	if ((rc = heard(r, w, &res)) != ERR_OK)
		return rc;
	if (w->what == ASK_DESCRIBE)
		w->describe = res.describe;
	t->describe = w->describe;
	if (t->describe == NULL)
		return req_fail(r, ERR_INVALID, "the rotator does not describe itself");
	if (w->what == ASK_DESCRIBE && (rc = check_settings(r, t)) != ERR_OK)
		return rc;
	if (w->what == ASK_DESCRIBE && verify && target_can(t, "login") &&
	    (t->admin != NULL || t->has_admin_secret)) {
		w->what = ASK_LOGIN;
		return ask(r, w, t, "login", t->timeout_ms);
	}
	*done = true;
	return ERR_OK;
}

/* ---- failed logins ---- */

static struct target_strikes *strikes_of(struct core *c, const struct target *t)
{
	struct target_strikes *all = c->rotation->strikes;

	for (size_t i = 0; i < TARGET_STRIKES; i++)
		if (memcmp(all[i].id, t->o.id, sizeof(all[i].id)) == 0)
			return &all[i];
	return NULL;
}

int target_left_alone(struct req *r, const struct target *stored)
{
	struct target t = *stored;
	const struct target_strikes *s = strikes_of(r->core, stored);
	int64_t wait;

	if (t.o.version == 0 && s != NULL)
		memcpy(t.fails, s->fails, sizeof(t.fails));
	wait = target_wait_ms(r->core, &t);
	if (wait == 0)
		return ERR_OK;
	return req_fail(r, ERR_RATE,
	                "the target is left alone after failed logins: try again in %lld "
	                "seconds, or write it without verification",
	                (long long)wait / 1000 + 1);
}

/* The oldest makes room. */
static void remember(struct core *c, struct target *t)
{
	struct rotation_state *state = c->rotation;
	struct target_strikes *s = strikes_of(c, t);

	if (s == NULL) {
		s = &state->strikes[state->next_strikes];
		state->next_strikes = (state->next_strikes + 1) % TARGET_STRIKES;
		memset(s, 0, sizeof(*s));
		memcpy(s->id, t->o.id, sizeof(s->id));
	}
	memcpy(t->fails, s->fails, sizeof(t->fails));
	target_failed(c, t);
	memcpy(s->fails, t->fails, sizeof(s->fails));
}

int target_settled(struct req *r, const struct target *stored, int64_t *until_ms)
{
	struct rotation_of_admin admin;
	int rc = rotation_of_admin(r->core, r->a, stored, &admin, &r->e);

	if (rc != ERR_OK || !admin.now)
		return rc;
	if (*until_ms == 0)
		*until_ms = r->core->boot_ms + stored->timeout_ms;
	if (r->core->boot_ms < *until_ms)
		return req_park(r, WAIT_ATTEMPT, admin.attempt, *until_ms);
	return req_fail(r, ERR_BUSY,
	                "the password of the target's administrator is being changed: "
	                "try again");
}

int target_refused(struct req *r, struct target *stored, const char *text)
{
	struct rotation_of_admin admin;
	int rc = rotation_of_admin(r->core, r->a, stored, &admin, &r->e);

	if (rc != ERR_OK)
		return rc;
	reply_errors(r, 400, text, NULL);
	if (admin.lately)
		return ERR_OK;
	if (stored->o.version == 0) {
		remember(r->core, stored);
		return ERR_OK;
	}
	target_failed(r->core, stored);
	return target_save(r->core, r->a, stored, &r->e);
}
