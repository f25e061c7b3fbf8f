/* SPDX-License-Identifier: Apache-2.0 */
#include "rotation_strategy.h"

#include <string.h>

#include "api_rotation.h"
#include "arena.h"
#include "target.h"
#include "text.h"

#define ACCOUNT_MAX 128u

/* The other name of strategy manual. */
static int take_remind(struct req *r, struct rotation_rule *rule)
{
	bool remind = false, present;
	int rc = req_bool(r, "remind", &remind, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if (remind == (rule->strategy == STRATEGY_MANUAL))
		return ERR_OK;
	rule->strategy = remind ? STRATEGY_MANUAL : STRATEGY_GENERATE;
	rule->grace_ms = 0;
	return ERR_OK;
}

static int take_strategy(struct req *r, struct rotation_rule *rule)
{
	const char *name = NULL;
	bool present;
	int rc = req_str(r, "strategy", &name, &present);

	if (rc == ERR_OK && !present)
		return take_remind(r, rule);
	if (rc != ERR_OK)
		return rc;
	if (rotation_strategy_of(name, &rule->strategy) != 0)
		return req_fail(r, ERR_INVALID,
		                "strategy: generate, single, dual_user, dual_key, "
		                "verify_then_sign, reissue or manual");
	/* Who has read the old value just before the new one came may still log in. */
	rule->grace_ms = rotation_overlaps(rule->strategy) ? ROTATION_GRACE_MS : 0;
	return ERR_OK;
}

static int take_policy(struct req *r, struct rotation_rule *rule)
{
	const char *name = NULL;
	bool present;
	int rc = req_str(r, "policy", &name, &present);

	if (rc == ERR_OK && present && rotation_policy_of(name, &rule->policy) != 0)
		return req_fail(r, ERR_INVALID, "policy: wait, proceed or revert");
	if (rc != ERR_OK ||
	    (rc = req_duration(r, "grace", &rule->grace_ms, &present)) != ERR_OK)
		return rc;
	if (rule->grace_ms < 0 || rule->grace_ms > ROTATION_GRACE_MAX_MS)
		return req_fail(r, ERR_INVALID, "grace: at most 400d");
	return ERR_OK;
}

static bool account_ok(const struct value *v)
{
	return v->type == V_STRING && v->len > 0 && v->len <= ACCOUNT_MAX &&
	       text_printable(v->text, v->len);
}

static int take_accounts(struct req *r, struct rotation_rule *rule)
{
	struct value *list = NULL;
	bool present;
	int rc = req_strings(r, "accounts", &list, &present);

	if (rc != ERR_OK || !present)
		return rc;
	for (const struct value *v = list->first; v != NULL; v = v->next)
		if (!account_ok(v))
			return req_fail(
				r, ERR_INVALID,
				"accounts: printable text of at most %u bytes each",
				ACCOUNT_MAX);
	rule->accounts = list->len > 0 ? value_copy(r->a, list) : NULL;
	return ERR_OK;
}

static int take_username_field(struct req *r, struct rotation_rule *rule)
{
	bool present;
	int rc = req_str(r, "username_field", &rule->username_field, &present);

	if (rc == ERR_OK && present &&
	    (rule->username_field[0] == '\0' ||
	     strlen(rule->username_field) > ROTATION_FIELD_MAX))
		return req_fail(r, ERR_INVALID,
		                "username_field: text of at most %u bytes",
		                ROTATION_FIELD_MAX);
	return rc;
}

static int find_target(struct req *r, struct rotation_rule *rule, struct target *t)
{
	int rc = target_load(r->core, r->a, rule->target_id, t, &r->e);

	return rc == ERR_NOENT
	               ? req_fail(r, ERR_INVALID,
	                          "there is no rotation target \"%.100s\"", rule->target)
	               : rc;
}

static int take_target(struct req *r, struct rotation_rule *rule)
{
	bool present;
	int rc = req_str(r, "target", &rule->target, &present);

	if (rc != ERR_OK || !present)
		return rc;
	target_id(r->core, target_sys_owner, rule->target, rule->target_id);
	if (rule->target[0] == '\0')
		memset(rule->target_id, 0, sizeof(rule->target_id));
	return ERR_OK;
}

/* A rule must not lead the administrator of a target elsewhere: what it may set is told
 * by the rotator. */
static int check_config(struct req *r, const struct target *t, const struct value *config)
{
	const struct value *may = value_get(t->describe, "per_secret");

	for (const struct value *v = config != NULL ? config->first : NULL; v != NULL;
	     v = v->next) {
		bool ok = false;

		for (const struct value *m = may != NULL ? may->first : NULL; m != NULL;
		     m = m->next)
			ok = ok || (m->len == v->key_len &&
			            memcmp(m->text, v->key, v->key_len) == 0);
		if (!ok)
			return req_fail(
				r, ERR_INVALID,
				"config: rotator \"%.40s\" takes no \"%.*s\" of a "
				"single secret",
				t->rotator, (int)(v->key_len < 64 ? v->key_len : 64),
				v->key);
	}
	return ERR_OK;
}

static int take_config(struct req *r, struct rotation_rule *rule)
{
	const struct value *config = NULL;
	bool present;
	int rc = req_object(r, "config", &config, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if (value_size(config) > TARGET_CONFIG_MAX)
		return req_fail(r, ERR_INVALID, "config: at most %u bytes",
		                TARGET_CONFIG_MAX);
	rule->config = config->first != NULL ? value_copy(r->a, config) : NULL;
	return ERR_OK;
}

/* ---- what fits together ---- */

static size_t accounts_needed(enum rotation_strategy s)
{
	return s == STRATEGY_DUAL_USER ? 2 : s == STRATEGY_SINGLE ? 1 : 0;
}

static int check_accounts(struct req *r, const struct rotation_rule *rule)
{
	size_t n = rule->accounts != NULL ? rule->accounts->len : 0;
	size_t need = accounts_needed(rule->strategy);
	const struct value *first, *second;

	if (need != 0 && n != need)
		return req_fail(r, ERR_INVALID, "accounts: strategy %s needs %s",
		                rotation_strategy_name(rule->strategy),
		                need == 1 ? "one" : "two");
	if (need == 0 && n > 1)
		return req_fail(r, ERR_INVALID, "accounts: strategy %s takes one",
		                rotation_strategy_name(rule->strategy));
	first = value_at(rule->accounts, 0);
	second = value_at(rule->accounts, 1);
	if (n == 2 && value_equal(first, second))
		return req_fail(r, ERR_INVALID, "accounts: two different ones");
	return ERR_OK;
}

/* A value by this rule has to suit the target. */
static int check_value(struct req *r, const struct rotation_rule *rule,
                       const struct target *t)
{
	const struct value *v = value_get(t->describe, "value");
	int64_t min = value_int_or(v, "min", 0), max = value_int_or(v, "max", INT64_MAX);

	if (v == NULL || (rule->gen.length >= min && rule->gen.length <= max))
		return ERR_OK;
	return req_fail(
		r, ERR_INVALID,
		"length: rotator \"%.40s\" takes values of %lld to %lld characters",
		t->rotator, (long long)min, (long long)max);
}

/* Another key beside the administrator's locks nobody out; another password does. */
static int check_admin(struct req *r, const struct rotation_rule *rule,
                       const struct target *t)
{
	if (rule->strategy != STRATEGY_SINGLE && rule->strategy != STRATEGY_DUAL_USER)
		return ERR_OK;
	return target_spares_admin(r->core, r->a, t, rule->accounts, rule->o.id, &r->e);
}

static int check_with_target(struct req *r, struct rotation_rule *rule)
{
	const char *strategy = rotation_strategy_name(rule->strategy);
	struct target t;
	int rc = find_target(r, rule, &t);

	if (rc != ERR_OK)
		return rc;
	if (rule->strategy == STRATEGY_GENERATE || rule->strategy == STRATEGY_MANUAL ||
	    rule->strategy == STRATEGY_VERIFY_THEN_SIGN)
		return req_fail(r, ERR_INVALID, "strategy %s has no target", strategy);
	if (!target_allows(&t, strategy))
		return req_fail(r, ERR_INVALID,
		                "strategy: rotator \"%.40s\" cannot do %s", t.rotator,
		                strategy);
	if ((rc = target_permits(r->a, &t, rule->path, rule->accounts, &r->e)) !=
	            ERR_OK ||
	    (rc = check_accounts(r, rule)) != ERR_OK ||
	    (rc = check_admin(r, rule, &t)) != ERR_OK ||
	    (rc = check_config(r, &t, rule->config)) != ERR_OK)
		return rc;
	return check_value(r, rule, &t);
}

static int check(struct req *r, struct rotation_rule *rule)
{
	const char *strategy = rotation_strategy_name(rule->strategy);

	if (rule->policy == POLICY_REVERT &&
	    (!rotation_overlaps(rule->strategy) || rule->strategy == STRATEGY_REISSUE))
		return req_fail(
			r, ERR_INVALID,
			"policy: strategy %s cannot go back: the old value is dead "
			"as soon as the new one is set",
			strategy);
	if (rule->target[0] != '\0')
		return check_with_target(r, rule);
	if (rule->strategy == STRATEGY_MANUAL && !rule->scheduled)
		return req_fail(r, ERR_INVALID,
		                "strategy manual needs a schedule: cron, every or after");
	if (rule->strategy != STRATEGY_GENERATE && rule->strategy != STRATEGY_MANUAL &&
	    rule->strategy != STRATEGY_VERIFY_THEN_SIGN)
		return req_fail(r, ERR_INVALID, "strategy %s needs a target", strategy);
	if (rule->strategy == STRATEGY_VERIFY_THEN_SIGN && rule->field[0] == '\0')
		return req_fail(
			r, ERR_INVALID,
			"field: strategy verify_then_sign needs the field's name");
	if (rule->accounts != NULL || rule->config != NULL)
		return req_fail(r, ERR_INVALID, "accounts and config need a target");
	return ERR_OK;
}

static bool says_anything(const struct req *r)
{
	static const char *const names[] = {
		"strategy", "remind", "target", "accounts",       "config",
		"policy",   "grace",  "field",  "username_field",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (value_get(r->body, names[i]) != NULL)
			return true;
	return false;
}

int rotation_take_strategy(struct req *r, struct rotation_rule *rule)
{
	int rc;

	if (says_anything(r) && (rc = rotation_refuse_under_way(r, rule)) != ERR_OK)
		return rc;
	if ((rc = take_strategy(r, rule)) != ERR_OK ||
	    (rc = take_policy(r, rule)) != ERR_OK ||
	    (rc = take_accounts(r, rule)) != ERR_OK ||
	    (rc = take_username_field(r, rule)) != ERR_OK ||
	    (rc = take_target(r, rule)) != ERR_OK ||
	    (rc = take_config(r, rule)) != ERR_OK)
		return rc;
	return check(r, rule);
}

void rotation_strategy_value(struct arena *a, const struct rotation_rule *rule,
                             struct value *out)
{
	value_set_str(a, out, "strategy", rotation_strategy_name(rule->strategy));
	value_set_bool(a, out, "remind", rule->strategy == STRATEGY_MANUAL);
	value_set_str(a, out, "target", rule->target);
	value_set(out, "accounts",
	          rule->accounts != NULL ? value_copy(a, rule->accounts)
	                                 : value_array(a));
	value_set_str(a, out, "username_field", rule->username_field);
	value_set(out, "config",
	          rule->config != NULL ? value_copy(a, rule->config) : value_object(a));
	value_set_str(a, out, "policy", rotation_policy_name(rule->policy));
	value_set_int(a, out, "grace", rule->grace_ms / 1000);
}
