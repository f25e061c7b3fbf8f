/* SPDX-License-Identifier: Apache-2.0 */
/* rotation_rule - the stored rule of a secret, its schedule, and which field it is about.
 */
#include <string.h>

#include "arena.h"
#include "rotation.h"

static void defaults(struct rotation_rule *out)
{
	memset(out, 0, sizeof(*out));
	out->path = out->field = out->problem = "";
	out->gen.length = 32;
	out->gen.classes = CLASS_DEFAULT;
	out->timeout_ms = ROTATION_TIMEOUT_MS;
}

static int take_text(const struct value *b, const char *key, char *out, size_t cap)
{
	const struct value *v = value_get(b, key);

	if (v == NULL)
		return 0;
	if (v->type != V_STRING || v->len >= cap)
		return -1;
	memcpy(out, v->text, v->len);
	out[v->len] = '\0';
	return 0;
}

static int take_id(const struct value *b, struct rotation_rule *out)
{
	const struct value *v = value_get(b, "attempt");

	if (v == NULL)
		return 0;
	if (v->type != V_BYTES || v->len != sizeof(out->attempt))
		return -1;
	memcpy(out->attempt, v->text, v->len);
	out->has_attempt = true;
	return 0;
}

int rotation_rule_read(struct arena *a, const struct store_object *o,
                       struct rotation_rule *out, struct err *e)
{
	const struct value *b = o->body;

	defaults(out);
	out->o = *o;
	out->configured = value_bool_or(b, "configured", false);
	out->path = value_cstr_or(a, b, "path", "");
	out->field = value_cstr_or(a, b, "field", "");
	out->problem = value_cstr_or(a, b, "problem", "");
	out->gen.length = value_int_or(b, "length", 0);
	out->gen.classes = (unsigned)value_int_or(b, "classes", 0);
	out->timeout_ms = value_int_or(b, "timeout", ROTATION_TIMEOUT_MS);
	out->schedule.anchor_ms = value_int_or(b, "anchor", 0);
	out->schedule.every_ms = value_int_or(b, "every", 0);
	out->schedule.jitter_ms = value_int_or(b, "jitter", 0);
	memcpy(out->schedule.seed, o->id, sizeof(out->schedule.seed));
	out->last_slot = value_int_or(b, "last_slot", 0);
	out->next_slot = value_int_or(b, "next_slot", 0);
	if (o->id_len != 32 || take_id(b, out) != 0 ||
	    take_text(b, "alphabet", out->gen.alphabet, sizeof(out->gen.alphabet)) != 0)
		return err_set(e, ERR_INTEGRITY, "a rotation rule's record is malformed");
	return ERR_OK;
}

int rotation_rule_load(struct core *c, struct arena *a, const unsigned char secret_id[32],
                       struct rotation_rule *out, struct err *e)
{
	struct store_object o;
	int rc = store_get(c, a, KIND_ROTATION, secret_id, 32, &o, e);

	if (rc == ERR_OK)
		return rotation_rule_read(a, &o, out, e);
	if (rc != ERR_NOENT)
		return rc;
	defaults(out);
	out->o.kind = KIND_ROTATION;
	out->o.id_len = 32;
	memcpy(out->o.id, secret_id, 32);
	memcpy(out->schedule.seed, secret_id, sizeof(out->schedule.seed));
	return ERR_OK;
}

int rotation_rule_save(struct core *c, struct arena *a, struct rotation_rule *rule,
                       struct err *e)
{
	struct value *b = value_object(a);

	value_set_bool(a, b, "configured", rule->configured);
	value_set_str(a, b, "path", rule->path);
	value_set_str(a, b, "field", rule->field);
	value_set_str(a, b, "problem", rule->problem);
	value_set_int(a, b, "length", rule->gen.length);
	value_set_int(a, b, "classes", rule->gen.classes);
	value_set_str(a, b, "alphabet", arena_str(a, rule->gen.alphabet));
	value_set_int(a, b, "timeout", rule->timeout_ms);
	value_set_int(a, b, "anchor", rule->schedule.anchor_ms);
	value_set_int(a, b, "every", rule->schedule.every_ms);
	value_set_int(a, b, "jitter", rule->schedule.jitter_ms);
	value_set_int(a, b, "last_slot", rule->last_slot);
	value_set_int(a, b, "next_slot", rule->next_slot);
	if (rule->has_attempt)
		value_set_bytes(a, b, "attempt", rule->attempt, sizeof(rule->attempt));
	rule->o.body = b;
	if (arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	return store_put(c, &rule->o, e);
}

void rotation_rule_plan(struct rotation_rule *rule, int64_t now)
{
	const struct schedule_past past = { .last_slot = rule->last_slot };
	struct schedule_slot next;

	(void)schedule_next(&rule->schedule, &past, now, &next);
	rule->next_slot = next.slot;
	rule->o.due = next.moment;
}

int rotation_rule_field(const struct rotation_rule *rule, const struct value *data,
                        struct arena *a, const char **field, struct err *e)
{
	if (rule->field[0] != '\0') {
		*field = rule->field;
		return ERR_OK;
	}
	if (data->len == 1) {
		*field = arena_dup(a, data->first->key, data->first->key_len);
		return *field != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
	}
	if (value_get(data, "password") != NULL) {
		*field = "password";
		return ERR_OK;
	}
	return err_set(e, ERR_INVALID,
	               "the secret has several fields: say which one to make anew with "
	               "`vaultctl rotation set PATH --field NAME`");
}
