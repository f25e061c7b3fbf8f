/* SPDX-License-Identifier: Apache-2.0 */
/* api_rotation_rule - how a secret is rotated, and when. */
#include <string.h>

#include "api_rotation.h"
#include "arena.h"
#include "rotation_strategy.h"
#include "text.h"

#define SCRATCH ((size_t)16 * 1024 * 1024)

static int take_length(struct req *r, struct rotation_rule *rule)
{
	bool present;

	return req_int(r, "length", &rule->gen.length, &present);
}

static int take_classes(struct req *r, struct rotation_rule *rule)
{
	struct value *names = NULL;
	bool present;
	unsigned mask = 0, bit;
	int rc = req_strings(r, "classes", &names, &present);

	if (rc != ERR_OK || !present)
		return rc;
	for (const struct value *v = names->first; v != NULL; v = v->next) {
		if ((bit = generate_class(v->text, v->len)) == 0)
			return req_fail(r, ERR_INVALID,
			                "classes: lower, upper, digit, symbol");
		mask |= bit;
	}
	if (mask == 0)
		return req_fail(r, ERR_INVALID, "classes: name at least one");
	rule->gen.classes = mask;
	rule->gen.alphabet[0] = '\0';
	return ERR_OK;
}

static int take_alphabet(struct req *r, struct rotation_rule *rule)
{
	const char *s = NULL;
	bool present;
	int rc = req_str(r, "alphabet", &s, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if (value_get(r->body, "classes") != NULL)
		return req_fail(r, ERR_INVALID, "alphabet or classes, not both");
	if (strlen(s) > GENERATE_ALPHABET_MAX)
		return req_fail(r, ERR_INVALID, "alphabet: at most %u characters",
		                GENERATE_ALPHABET_MAX);
	memcpy(rule->gen.alphabet, s, strlen(s) + 1);
	rule->gen.classes = 0;
	return ERR_OK;
}

static int take_field(struct req *r, struct rotation_rule *rule)
{
	const char *old = rule->field;
	bool present;
	int rc = req_str(r, "field", &rule->field, &present);

	if (rc != ERR_OK || !present)
		return rc;
	if (strlen(rule->field) > ROTATION_FIELD_MAX ||
	    !text_printable(rule->field, strlen(rule->field)))
		return req_fail(r, ERR_INVALID,
		                "field: printable text of at most %u bytes",
		                ROTATION_FIELD_MAX);
	return strcmp(old, rule->field) == 0 ? ERR_OK
	                                     : rotation_refuse_under_way(r, rule);
}

/* A name that is written wrong would be made beside the field that holders read, and set
 * at the target.  What has no value yet has its account at most. */
static int check_field(struct req *r, const struct rotation_rule *rule,
                       struct kv_secret *s)
{
	struct value *data;
	int rc;

	if (value_get(r->body, "field") == NULL || rule->field[0] == '\0' ||
	    rule->strategy == STRATEGY_MANUAL || rule->strategy == STRATEGY_REISSUE)
		return ERR_OK;
	if ((rc = kv_read(r->core, r->a, s, 0, &data, &r->e)) != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if (value_get(data, rule->field) != NULL)
		return ERR_OK;
	for (const struct value *v = data->first; v != NULL; v = v->next)
		if (v->key_len != strlen(rule->username_field) ||
		    memcmp(v->key, rule->username_field, v->key_len) != 0)
			return req_fail(r, ERR_INVALID,
			                "field: the secret has no \"%.100s\": name one "
			                "that it has, or write it first",
			                rule->field);
	return ERR_OK;
}

int rotation_check_timeout(struct req *r, int64_t ms)
{
	if (ms < 100 || ms > ROTATION_TIMEOUT_MAX_MS)
		return req_fail(r, ERR_INVALID, "timeout: between 100ms and 24h");
	return ERR_OK;
}

static int take_timeout(struct req *r, struct rotation_rule *rule)
{
	bool present;
	int rc = req_duration(r, "timeout", &rule->timeout_ms, &present);

	return rc == ERR_OK ? rotation_check_timeout(r, rule->timeout_ms) : rc;
}

static const char *const kinds[] = { "cron", "every", "after" };

static bool is_kind(const struct value *v)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (v->key_len == strlen(kinds[i]) &&
		    memcmp(v->key, kinds[i], v->key_len) == 0)
			return true;
	return false;
}

/* The schedule that there is, with what the request says laid over it; another kind
 * takes the place of the first. *said: it says anything. */
static struct value *merged(struct req *r, const struct rotation_rule *rule, bool *said)
{
	static const char *const names[] = { "cron",     "every",   "after",
		                             "tz",       "window",  "jitter",
		                             "blackout", "max_age", "min_interval",
		                             "missed",   "anchor" };
	struct value *out = value_object(r->a);
	bool kind = false;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct value *v = value_get(r->body, names[i]);

		if (v == NULL)
			continue;
		*said = true;
		kind = kind || is_kind(v);
		value_set(out, names[i], value_copy(r->a, v));
	}
	if (!rule->scheduled || rule->unreadable != NULL)
		return out;
	for (const struct value *v = schedule_value(r->a, &rule->schedule)->first;
	     v != NULL; v = v->next)
		if (value_getn(out, v->key, v->key_len) == NULL &&
		    !(kind && (is_kind(v) || strcmp(v->key, "anchor") == 0)))
			value_setn(out, v->key, v->key_len, value_copy(r->a, v));
	return out;
}

/* "every": 0 ends a schedule. */
static bool is_never(const struct value *spec)
{
	const struct value *v = value_get(spec, "every");
	int64_t n;

	return v != NULL && (value_is_str(v, "0s") || value_is_str(v, "") ||
	                     (value_to_int(v, &n) == 0 && n == 0));
}

static int take_schedule(struct req *r, struct rotation_rule *rule)
{
	bool said = false;
	struct value *spec = merged(r, rule, &said);
	int64_t end;
	int rc;

	if (!said)
		return ERR_OK;
	memset(&rule->schedule, 0, sizeof(rule->schedule));
	rule->scheduled = false;
	rule->unreadable = NULL;
	if (!is_never(spec)) {
		rc = schedule_parse(spec, r->core->zones, r->core->now_ms,
		                    &rule->schedule, &r->e);
		if (rc != ERR_OK)
			return rc;
		rule->scheduled = true;
	}
	memcpy(rule->schedule.seed, rule->o.id, sizeof(rule->schedule.seed));
	rule->last_slot = r->core->now_ms;
	rule->next_slot = rule->next_ms = rule->missed = 0;
	(void)rotation_rule_plan(rule, r->core->now_ms, false, &end);
	return ERR_OK;
}

/* What a database engine says by itself is not changed behind its back. */
static int refuse_engine(struct req *r, const char *path)
{
	const char *rest;
	const struct mount *m = mounts_match(r->core, path, &rest);

	if (m == NULL || strcmp(m->engine, "database") != 0)
		return ERR_OK;
	return req_fail(r, ERR_INVALID,
	                "the rule of this credential is that of its role: write it at "
	                "\"%.100sstatic-roles/\"",
	                m->path);
}

static int h_config_write(struct req *r)
{
	struct kv_secret s;
	struct rotation_rule rule;
	int rc;

	if ((rc = rotation_open_secret(r, &s)) != ERR_OK ||
	    (rc = rotation_rule_load(r->core, r->a, s.o.id, &rule, &r->e)) != ERR_OK)
		return rc;
	rule.path = kv_full_path(r->a, &s);
	if ((rc = refuse_engine(r, rule.path)) != ERR_OK ||
	    (rc = take_field(r, &rule)) != ERR_OK ||
	    (rc = take_length(r, &rule)) != ERR_OK ||
	    (rc = take_classes(r, &rule)) != ERR_OK ||
	    (rc = take_alphabet(r, &rule)) != ERR_OK ||
	    (rc = take_timeout(r, &rule)) != ERR_OK ||
	    (rc = take_schedule(r, &rule)) != ERR_OK ||
	    (rc = rotation_take_strategy(r, &rule)) != ERR_OK ||
	    (rc = check_field(r, &rule, &s)) != ERR_OK ||
	    (rc = generate_check(&rule.gen, &r->e)) != ERR_OK)
		return rc;
	rule.configured = true;
	rule.problem = "";
	rule.failed_runs = 0;
	if (rule.strategy != STRATEGY_MANUAL)
		rule.due_since = 0;
	else if (rule.due_since != 0)
		rule.problem = ROTATION_DUE_TEXT;
	req_note_int(r, "length", rule.gen.length);
	req_note_str(r, "schedule", rule.scheduled ? "yes" : "no");
	req_note_str(r, "strategy", rotation_strategy_name(rule.strategy));
	req_note_str(r, "target", rule.target);
	return rotation_rule_save(r->core, r->a, &rule, &r->e);
}

struct value *rotation_time(struct arena *a, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	if (ms == 0)
		return value_null(a);
	clock_rfc3339(ms, text);
	return value_str(a, arena_str(a, text));
}

static void set_schedule(struct arena *a, const struct rotation_rule *rule,
                         struct value *out)
{
	const struct value *spec;

	value_set_int(a, out, "every",
	              rule->schedule.kind == SCHEDULE_EVERY
	                      ? rule->schedule.every_ms / 1000
	                      : 0);
	if (!rule->scheduled)
		return;
	spec = rule->unreadable != NULL ? value_copy(a, rule->unreadable)
	                                : schedule_value(a, &rule->schedule);
	for (const struct value *v = spec != NULL ? spec->first : NULL; v != NULL;
	     v = v->next)
		if (value_getn(out, v->key, v->key_len) == NULL)
			value_setn(out, v->key, v->key_len, value_copy(a, v));
}

void rotation_rule_value(struct arena *a, const struct rotation_rule *rule,
                         struct value *out)
{
	struct value *classes = value_array(a);

	for (unsigned bit = 1; bit <= CLASS__ALL; bit <<= 1)
		if (rule->gen.classes & bit)
			value_add(classes, value_str(a, generate_class_name(bit)));
	value_set_str(a, out, "path", rule->path);
	rotation_strategy_value(a, rule, out);
	value_set_str(a, out, "field", rule->field);
	value_set_int(a, out, "length", rule->gen.length);
	value_set(out, "classes", classes);
	value_set_str(a, out, "alphabet", arena_str(a, rule->gen.alphabet));
	value_set_int(a, out, "bits", generate_bits(&rule->gen));
	set_schedule(a, rule, out);
	value_set_int(a, out, "timeout", rule->timeout_ms / 1000);
	value_set(out, "next", rotation_time(a, rule->next_ms));
	value_set_int(a, out, "missed_slots", rule->missed);
	value_set_bool(a, out, "paused", rule->paused);
	value_set(out, "last_rotated", rotation_time(a, rule->rotated_ms));
	value_set_int(a, out, "failed_runs", rule->failed_runs);
	value_set_str(a, out, "problem", rule->problem);
	value_set(out, "due_since", rotation_time(a, rule->due_since));
}

/* The rule of the secret that the path names; *found: an operator has set one. */
int rotation_open_rule(struct req *r, struct rotation_rule *rule, bool *found)
{
	struct kv_secret s;
	int rc = rotation_open_secret(r, &s);

	*found = false;
	if (rc != ERR_OK)
		return rc;
	rc = rotation_rule_load(r->core, r->a, s.o.id, rule, &r->e);
	*found = rc == ERR_OK && rule->configured;
	rule->path = kv_full_path(r->a, &s);
	return rc;
}

int rotation_refuse_under_way(struct req *r, const struct rotation_rule *rule)
{
	struct rotation_attempt t;
	int rc;

	if (!rule->has_attempt)
		return ERR_OK;
	rc = rotation_attempt_load(r->core, r->a, rule->attempt, &t, &r->e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	if (rotation_ended(&t) || t.strategy == STRATEGY_GENERATE)
		return ERR_OK;
	return req_fail(r, ERR_INVALID,
	                "a rotation of this secret is still under way (%s): wait for its "
	                "end, or abort it",
	                rotation_state_name(t.state));
}

static int h_config_read(struct req *r)
{
	struct rotation_rule rule;
	bool found;
	int rc = rotation_open_rule(r, &rule, &found);

	if (rc == ERR_OK && found)
		rotation_rule_value(r->a, &rule, reply_data(r));
	return rc;
}

/* Which attempts there were is kept; the rule becomes the default one again. */
static int h_config_delete(struct req *r)
{
	struct rotation_rule rule, none;
	unsigned char id[32];
	bool found;
	int rc = rotation_open_rule(r, &rule, &found);

	if (rc != ERR_OK || !found)
		return rc;
	if ((rc = refuse_engine(r, rule.path)) != ERR_OK ||
	    (rc = rotation_refuse_under_way(r, &rule)) != ERR_OK)
		return rc;
	if (!rule.has_attempt)
		return store_delete(r->core, &rule.o, &r->e);
	memset(id, 0, sizeof(id)); /* no secret has it: gives the defaults */
	if ((rc = rotation_rule_load(r->core, r->a, id, &none, &r->e)) != ERR_OK)
		return rc;
	none.o = rule.o;
	none.o.due = 0;
	none.path = rule.path;
	none.rotated_ms = rule.rotated_ms;
	none.recent = rule.recent;
	none.has_attempt = true;
	memcpy(none.attempt, rule.attempt, sizeof(none.attempt));
	return rotation_rule_save(r->core, r->a, &none, &r->e);
}

#define PREVIEW_MAX 100

static struct value *view_value(struct arena *a, const struct schedule_view *v)
{
	struct value *o = value_object(a);

	value_set(o, "slot", rotation_time(a, v->slot.slot));
	value_set_str(a, o, "local", arena_str(a, v->local));
	value_set(o, "moment", rotation_time(a, v->slot.moment));
	value_set_str(a, o, "local_moment", arena_str(a, v->moment));
	value_set(o, "window_end",
	          v->slot.end == INT64_MAX ? value_null(a)
	                                   : rotation_time(a, v->slot.end));
	return o;
}

static int h_next(struct req *r)
{
	struct schedule_view *views;
	struct rotation_rule rule;
	struct schedule_past past;
	struct value *list;
	int64_t count = 5;
	bool found;
	int n, rc = rotation_open_rule(r, &rule, &found);

	if (rc != ERR_OK || (rc = req_int(r, "count", &count, &found)) != ERR_OK)
		return rc;
	if (count < 1 || count > PREVIEW_MAX)
		return req_fail(r, ERR_INVALID, "count: between 1 and %d", PREVIEW_MAX);
	if (!rule.scheduled)
		return req_fail(r, ERR_INVALID, "the secret has no schedule");
	if (rule.unreadable != NULL)
		return req_fail(r, ERR_INVALID,
		                "the schedule's time zone is not on this system");
	views = arena_alloc(r->a, (size_t)count * sizeof(*views));
	if (views == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	past = rotation_rule_past(&rule);
	n = schedule_preview(&rule.schedule, &past, r->core->now_ms, views, (int)count);
	list = value_array(r->a);
	for (int i = 0; i < n; i++)
		value_add(list, view_value(r->a, &views[i]));
	value_set(reply_data(r), "slots", list);
	value_set_bool(r->a, reply_data(r), "paused", rule.paused);
	value_set_str(r->a, reply_data(r), "path", rule.path);
	return ERR_OK;
}

static int set_paused(struct req *r, bool paused)
{
	struct rotation_rule rule;
	bool found;
	int64_t end;
	int rc = rotation_open_rule(r, &rule, &found);

	if (rc != ERR_OK)
		return rc;
	if (!found)
		return req_fail(r, ERR_INVALID, "the secret has no rotation rule");
	rule.paused = paused;
	(void)rotation_rule_plan(&rule, r->core->now_ms, false, &end);
	return rotation_rule_save(r->core, r->a, &rule, &r->e);
}

static int h_pause(struct req *r)
{
	return set_paused(r, true);
}

static int h_unpause(struct req *r)
{
	return set_paused(r, false);
}

/* What a listing says of a rule. */
static void rotation_info(struct req *r, const struct value *b, struct value *info)
{
	const struct value *s = value_get(b, "schedule");

	value_set_int(r->a, info, "every",
	              (s != NULL ? value_int_or(s, "every", 0)
	                         : value_int_or(b, "every", 0) / 1000));
	value_set_str(r->a, info, "strategy",
	              arena_str(r->a, value_cstr_or(r->a, b, "strategy", "generate")));
	value_set_str(r->a, info, "target",
	              arena_str(r->a, value_cstr_or(r->a, b, "target", "")));
	value_set(info, "due_since",
	          rotation_time(r->a, value_int_or(b, "due_since", 0)));
	value_set_bool(r->a, info, "paused", value_bool_or(b, "paused", false));
	value_set(info, "next", rotation_time(r->a, value_int_or(b, "next", 0)));
	value_set(info, "last_rotated",
	          rotation_time(r->a, value_int_or(b, "rotated", 0)));
	value_set_str(r->a, info, "problem",
	              arena_str(r->a, value_cstr_or(r->a, b, "problem", "")));
}

static int h_config_list(struct req *r)
{
	AUTO_ARENA scratch = arena_new(SCRATCH);
	struct rotation_listing *l = rotation_list_slice(r, scratch, KIND_ROTATION);

	if (l == NULL)
		return (int)r->e.code;
	for (size_t i = 0; i < l->n; i++) {
		const struct value *b = l->at[i].body;
		const char *path = arena_str(r->a, value_cstr_or(scratch, b, "path", ""));
		struct value *info = value_object(r->a);

		if (!value_bool_or(b, "configured", false) || path == NULL)
			continue;
		rotation_info(r, l->at[i].body, info);
		value_add(l->keys, value_str(r->a, path));
		value_set(l->info, path, info);
	}
	return rotation_list_end(r, l);
}

/* ---- routes ---- */

static const struct field config_fields[] = {
	{"field",           "string",   "the field that is made anew"                            },
	{ "length",         "int",      "characters of the new value"                            },
	{ "alphabet",       "string",   "characters to choose from"                              },
	{ "classes",        "strings",  "classes that must occur: lower, upper, digit, symbol"   },
	{ "cron",           "string",   "rotate by itself at these times: five fields"           },
	{ "every",          "duration", "rotate by itself this often; 0: never"                  },
	{ "after",          "duration", "rotate by itself so long after the last change"         },
	{ "tz",             "string",   "time zone of the schedule (UTC)"                        },
	{ "window",         "duration", "how long after its time a rotation may begin"           },
	{ "jitter",         "string",
         "spread of the scheduled moment: auto, none, or a duration"                             },
	{ "blackout",       "strings",  "dates without rotations: 2026-12-20/2027-01-03"         },
	{ "max_age",        "duration",
         "an older value raises an alarm, and is replaced out of turn"                           },
	{ "min_interval",   "duration", "least time between two scheduled rotations"             },
	{ "missed",         "string",   "what becomes of a slot that was missed: next, run, skip"},
	{ "anchor",         "string",   "where counting begins (RFC 3339)"                       },
	{ "timeout",        "duration", "how long holders may take"                              },
	{ "strategy",       "string",
         "generate, single, dual_user, dual_key, verify_then_sign, reissue, manual"              },
	{ "remind",         "bool",     "people replace it and are reminded: strategy manual"    },
	{ "target",         "string",   "rotation target that has the value too; \"\": none"     },
	{ "accounts",       "strings",  "accounts at the target: one, or two that take turns"    },
	{ "username_field", "string",   "field with the account's name (username)"               },
	{ "config",         "object",   "for the rotator, beside the target's configuration"     },
	{ "policy",         "string",   "at the deadline: wait, proceed, revert"                 },
	{ "grace",          "duration",
         "how long the old value stays valid when all have the new one"                          },
	{ NULL,             NULL,       NULL						     },
};

static const struct field next_fields[] = {
	{"count", "int", "how many (5)"},
	{ NULL,   NULL,  NULL          },
};

static const struct route rows[] = {
	{"system",  M_LIST,   "rotation/config",        0, NULL,          h_config_list,   NULL,
         "secrets that have a rule"												 },
	{ "system", M_GET,    "rotation/config/*path",  0, NULL,          h_config_read,   NULL,
         "rule and schedule of a secret"											    },
	{ "system", M_POST,   "rotation/config/*path",  0, config_fields, h_config_write,
         NULL,										   "set rule and schedule of a secret"},
	{ "system", M_DELETE, "rotation/config/*path",  0, NULL,          h_config_delete, NULL,
         "forget rule and schedule of a secret"										     },
	{ "system", M_GET,    "rotation/next/*path",    0, next_fields,   h_next,          NULL,
         "the next scheduled rotations of a secret"										 },
	{ "system", M_POST,   "rotation/pause/*path",   0, NULL,          h_pause,         NULL,
         "no scheduled rotations of a secret for now"									       },
	{ "system", M_POST,   "rotation/unpause/*path", 0, NULL,          h_unpause,       NULL,
         "scheduled rotations again"												},
};

const struct route_table routes_rotation_rule = { rows, ARRAY_LEN(rows) };
