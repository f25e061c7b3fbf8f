/* SPDX-License-Identifier: Apache-2.0 */
#include "target_ask.h"

#include <string.h>

#include "arena.h"
#include "rng.h"
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
