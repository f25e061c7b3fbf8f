/* SPDX-License-Identifier: Apache-2.0 */
/* api_rotation - rules, schedules and rotations of secrets. */
#include <string.h>

#include "arena.h"
#include "rng.h"
#include "rotation.h"
#include "route.h"
#include "text.h"
#include "vault/limits.h"

#define REPORT_SLICE 128
#define LIST_SLICE   200
#define SCRATCH      ((size_t)16 * 1024 * 1024)

/* The secret that the path names. */
static int open_secret(struct req *r, struct kv_secret *s)
{
	const struct mount *m;
	const char *rest;
	int rc;

	if ((rc = kv_split(r->core, r->param[0].text, &m, &rest, &r->e)) != ERR_OK)
		return rc;
	rc = kv_open(r->core, r->a, m, rest, s, &r->e);
	return rc == ERR_NOENT
	               ? req_fail(r, ERR_INVALID, "there is no secret at \"%.180s\"",
	                          r->param[0].text)
	               : rc;
}

static int park_again(struct req *r)
{
	unsigned char key[16];

	rng_bytes(key, sizeof(key));
	return req_park(r, WAIT_JOB, key, r->core->boot_ms);
}

/* ---- rules ---- */

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
	bool present;
	int rc = req_str(r, "field", &rule->field, &present);

	if (rc == ERR_OK && present &&
	    (strlen(rule->field) > ROTATION_FIELD_MAX ||
	     !text_printable(rule->field, strlen(rule->field))))
		return req_fail(r, ERR_INVALID,
		                "field: printable text of at most %u bytes",
		                ROTATION_FIELD_MAX);
	return rc;
}

static int check_timeout(struct req *r, int64_t ms)
{
	if (ms < 100 || ms > ROTATION_TIMEOUT_MAX_MS)
		return req_fail(r, ERR_INVALID, "timeout: between 100ms and 24h");
	return ERR_OK;
}

static int take_schedule(struct req *r, struct rotation_rule *rule)
{
	struct schedule *s = &rule->schedule;
	bool has_every, has_jitter, has_timeout;
	int rc;

	if ((rc = req_duration(r, "every", &s->every_ms, &has_every)) != ERR_OK ||
	    (rc = req_duration(r, "jitter", &s->jitter_ms, &has_jitter)) != ERR_OK ||
	    (rc = req_duration(r, "timeout", &rule->timeout_ms, &has_timeout)) !=
	            ERR_OK ||
	    (rc = check_timeout(r, rule->timeout_ms)) != ERR_OK)
		return rc;
	if (s->every_ms != 0 &&
	    (s->every_ms < SCHEDULE_EVERY_MIN_MS || s->every_ms > SCHEDULE_EVERY_MAX_MS))
		return req_fail(r, ERR_INVALID,
		                "every: between 1s and 3660d, or 0 for never");
	if (s->jitter_ms < 0 || (s->jitter_ms > 0 && s->jitter_ms >= s->every_ms))
		return req_fail(r, ERR_INVALID, "jitter: less than every");
	if (has_every) {
		s->anchor_ms = r->core->now_ms;
		rule->last_slot = 0;
	}
	if (has_every || has_jitter)
		rotation_rule_plan(rule, r->core->now_ms);
	return ERR_OK;
}

static int h_config_write(struct req *r)
{
	struct kv_secret s;
	struct rotation_rule rule;
	int rc;

	if ((rc = open_secret(r, &s)) != ERR_OK ||
	    (rc = rotation_rule_load(r->core, r->a, s.o.id, &rule, &r->e)) != ERR_OK ||
	    (rc = take_field(r, &rule)) != ERR_OK ||
	    (rc = take_length(r, &rule)) != ERR_OK ||
	    (rc = take_classes(r, &rule)) != ERR_OK ||
	    (rc = take_alphabet(r, &rule)) != ERR_OK ||
	    (rc = take_schedule(r, &rule)) != ERR_OK ||
	    (rc = generate_check(&rule.gen, &r->e)) != ERR_OK)
		return rc;
	rule.configured = true;
	rule.path = kv_full_path(r->a, &s);
	rule.problem = "";
	req_note_int(r, "length", rule.gen.length);
	req_note_int(r, "every_ms", rule.schedule.every_ms);
	return rotation_rule_save(r->core, r->a, &rule, &r->e);
}

static struct value *time_value(struct arena *a, int64_t ms)
{
	char text[CLOCK_RFC3339_MAX];

	if (ms == 0)
		return value_null(a);
	clock_rfc3339(ms, text);
	return value_str(a, arena_str(a, text));
}

static void set_rule(struct arena *a, const struct rotation_rule *rule, struct value *out)
{
	struct value *classes = value_array(a);

	for (unsigned bit = 1; bit <= CLASS__ALL; bit <<= 1)
		if (rule->gen.classes & bit)
			value_add(classes, value_str(a, generate_class_name(bit)));
	value_set_str(a, out, "path", rule->path);
	value_set_str(a, out, "strategy", "generate");
	value_set_str(a, out, "field", rule->field);
	value_set_int(a, out, "length", rule->gen.length);
	value_set(out, "classes", classes);
	value_set_str(a, out, "alphabet", arena_str(a, rule->gen.alphabet));
	value_set_int(a, out, "bits", generate_bits(&rule->gen));
	value_set_int(a, out, "every", rule->schedule.every_ms / 1000);
	value_set_int(a, out, "jitter", rule->schedule.jitter_ms / 1000);
	value_set_int(a, out, "timeout", rule->timeout_ms / 1000);
	value_set(out, "next", time_value(a, rule->o.due));
	value_set_str(a, out, "problem", rule->problem);
}

/* The rule of the secret that the path names; *found: an operator has set one. */
static int open_rule(struct req *r, struct rotation_rule *rule, bool *found)
{
	struct kv_secret s;
	int rc = open_secret(r, &s);

	*found = false;
	if (rc != ERR_OK)
		return rc;
	rc = rotation_rule_load(r->core, r->a, s.o.id, rule, &r->e);
	*found = rc == ERR_OK && rule->configured;
	rule->path = kv_full_path(r->a, &s);
	return rc;
}

static int h_config_read(struct req *r)
{
	struct rotation_rule rule;
	bool found;
	int rc = open_rule(r, &rule, &found);

	if (rc == ERR_OK && found)
		set_rule(r->a, &rule, reply_data(r));
	return rc;
}

/* Which attempts there were is kept; the rule becomes the default one again. */
static int h_config_delete(struct req *r)
{
	struct rotation_rule rule, none;
	unsigned char id[32];
	bool found;
	int rc = open_rule(r, &rule, &found);

	if (rc != ERR_OK || !found)
		return rc;
	if (!rule.has_attempt)
		return store_delete(r->core, &rule.o, &r->e);
	memset(id, 0, sizeof(id)); /* no secret has it: gives the defaults */
	if ((rc = rotation_rule_load(r->core, r->a, id, &none, &r->e)) != ERR_OK)
		return rc;
	none.o = rule.o;
	none.o.due = 0;
	none.path = rule.path;
	none.has_attempt = true;
	memcpy(none.attempt, rule.attempt, sizeof(none.attempt));
	return rotation_rule_save(r->core, r->a, &none, &r->e);
}

struct listing {
	struct value *keys, *info;
	unsigned char after[STORE_ID_MAX];
	size_t after_len;
	struct store_object at[LIST_SLICE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct listing *l = ctx;

	(void)e;
	l->at[l->n++] = *o;
	return ERR_OK;
}

/* The next slice of a kind.  NULL and r->e on failure. */
static struct listing *list_slice(struct req *r, struct arena *scratch,
                                  enum store_kind kind)
{
	struct listing *l = r->park_state;

	if (l == NULL && (l = arena_alloc(r->a, sizeof(*l))) != NULL) {
		l->keys = value_array(r->a);
		l->info = value_object(r->a);
		r->park_state = l;
	}
	if (l == NULL || scratch == NULL) {
		req_fail(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	l->n = 0;
	if (store_each(r->core, scratch, kind, l->after_len > 0 ? l->after : NULL,
	               l->after_len, LIST_SLICE, collect, l, &r->e) != ERR_OK)
		return NULL;
	if (l->n > 0) {
		l->after_len = l->at[l->n - 1].id_len;
		memcpy(l->after, l->at[l->n - 1].id, l->after_len);
	}
	return l;
}

static int list_end(struct req *r, struct listing *l)
{
	if (l->n == LIST_SLICE)
		return park_again(r);
	value_set(reply_data(r), "keys", l->keys);
	value_set(reply_data(r), "key_info", l->info);
	return ERR_OK;
}

static int h_config_list(struct req *r)
{
	AUTO_ARENA scratch = arena_new(SCRATCH);
	struct listing *l = list_slice(r, scratch, KIND_ROTATION);

	if (l == NULL)
		return (int)r->e.code;
	for (size_t i = 0; i < l->n; i++) {
		const struct value *b = l->at[i].body;
		const char *path = arena_str(r->a, value_cstr_or(scratch, b, "path", ""));
		struct value *info = value_object(r->a);

		if (!value_bool_or(b, "configured", false) || path == NULL)
			continue;
		value_set_int(r->a, info, "every", value_int_or(b, "every", 0) / 1000);
		value_set(info, "next", time_value(r->a, l->at[i].due));
		value_add(l->keys, value_str(r->a, path));
		value_set(l->info, path, info);
	}
	return list_end(r, l);
}

/* ---- rotations ---- */

/* A request that waits for an attempt, and then reads its holders in slices. */
struct waiting {
	unsigned char attempt[16];
	bool wait;
	struct rotation_report report;
};

/* NULL and r->e on failure. */
static struct waiting *begin(struct req *r)
{
	struct rotation_order order = {
		.cause = "request",
		.request_id = r->request_id,
		.actor = r->id.display_name,
	};
	struct rotation_attempt t;
	struct kv_secret s;
	struct waiting *w = arena_alloc(r->a, sizeof(*w));
	bool present;

	if (w == NULL) {
		req_fail(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	w->wait = true;
	if ((req_duration(r, "timeout", &order.timeout_ms, &present)) != ERR_OK ||
	    (present && (check_timeout(r, order.timeout_ms)) != ERR_OK) ||
	    (req_bool(r, "wait", &w->wait, &present)) != ERR_OK ||
	    (open_secret(r, &s)) != ERR_OK ||
	    (rotation_start(r->core, r->a, s.o.id, &order, &t, &r->e)) != ERR_OK)
		return NULL;
	memcpy(w->attempt, t.o.id, sizeof(w->attempt));
	r->park_state = w;
	return w;
}

/* The attempt with its holders, as far as ready; parks until it is. */
static int report(struct req *r, struct waiting *w)
{
	struct rotation_attempt t;
	bool done;
	int rc = rotation_attempt_load(r->core, r->a, w->attempt, &t, &r->e);

	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK || (rc = rotation_judge(r->core, r->a, &t, &r->e)) != ERR_OK)
		return rc;
	if (w->wait && !rotation_ended(&t))
		return req_park(r, WAIT_ATTEMPT, w->attempt, t.boot_due_ms);
	rc = rotation_report_slice(r->core, r->a, &t, &w->report, REPORT_SLICE, &done,
	                           &r->e);
	if (rc != ERR_OK)
		return rc;
	if (!done)
		return park_again(r);
	rotation_attempt_value(r->core, r->a, &t, w->report.holders, reply_data(r));
	req_note_bytes(r, "attempt", t.o.id, 16);
	req_note_int(r, "version", t.version);
	req_note_str(r, "state", rotation_state_name(t.state));
	return ERR_OK;
}

static int h_rotate(struct req *r)
{
	struct waiting *w = r->park_state;

	if (w == NULL && (w = begin(r)) == NULL)
		return (int)r->e.code;
	return report(r, w);
}

static int h_attempt(struct req *r)
{
	struct waiting *w = r->park_state;

	if (w == NULL) {
		w = arena_alloc(r->a, sizeof(*w));
		if (w == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		if (text_unhex(r->param[0].text, r->param[0].len, w->attempt,
		               sizeof(w->attempt)) != (long)sizeof(w->attempt))
			return req_fail(r, ERR_INVALID,
			                "attempt: 32 hex digits are needed");
		r->park_state = w;
	}
	return report(r, w);
}

static int h_attempt_list(struct req *r)
{
	AUTO_ARENA scratch = arena_new(SCRATCH);
	struct listing *l = list_slice(r, scratch, KIND_ATTEMPT);
	struct rotation_attempt t;
	int rc = ERR_OK;

	if (l == NULL)
		return (int)r->e.code;
	for (size_t i = 0; rc == ERR_OK && i < l->n; i++) {
		struct value *info = value_object(scratch);
		char *id = arena_alloc(r->a, 33);

		if (id == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		if ((rc = rotation_attempt_read(scratch, &l->at[i], &t, &r->e)) != ERR_OK)
			break;
		text_hex(t.o.id, 16, id);
		rotation_attempt_value(r->core, scratch, &t, NULL, info);
		value_add(l->keys, value_str(r->a, id));
		value_set(l->info, id, value_copy(r->a, info));
	}
	return rc == ERR_OK ? list_end(r, l) : rc;
}

static int h_status(struct req *r)
{
	struct rotation_rule rule;
	struct rotation_attempt t;
	struct value *data, *last;
	bool found;
	int rc = open_rule(r, &rule, &found);

	if (rc != ERR_OK)
		return rc;
	data = reply_data(r);
	set_rule(r->a, &rule, data);
	value_set_bool(r->a, data, "configured", found);
	if (!rule.has_attempt)
		return ERR_OK;
	rc = rotation_attempt_load(r->core, r->a, rule.attempt, &t, &r->e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	if (rc != ERR_OK || (rc = rotation_judge(r->core, r->a, &t, &r->e)) != ERR_OK)
		return rc;
	last = value_object(r->a);
	rotation_attempt_value(r->core, r->a, &t, NULL, last);
	value_set(data, "last", last);
	return ERR_OK;
}

/* ---- routes ---- */

static const struct field config_fields[] = {
	{"field",     "string",   "the field that is made anew"                         },
	{ "length",   "int",      "characters of the new value"                         },
	{ "alphabet", "string",   "characters to choose from"                           },
	{ "classes",  "strings",  "classes that must occur: lower, upper, digit, symbol"},
	{ "every",    "duration", "rotate by itself this often; 0: never"               },
	{ "jitter",   "duration", "spread of the scheduled moment"                      },
	{ "timeout",  "duration", "how long holders may take"                           },
	{ NULL,       NULL,       NULL						  },
};
static const struct field rotate_fields[] = {
	{"timeout", "duration", "how long holders may take"                   },
	{ "wait",   "bool",     "answer when every holder has the new version"},
	{ NULL,     NULL,       NULL					  },
};

static const struct route rows[] = {
	{"system",  M_LIST,   "rotation/config",       0, NULL,          h_config_list,   NULL,
         "secrets that have a rule"												},
	{ "system", M_GET,    "rotation/config/*path", 0, NULL,          h_config_read,   NULL,
         "rule and schedule of a secret"											   },
	{ "system", M_POST,   "rotation/config/*path", 0, config_fields, h_config_write,
         NULL,										  "set rule and schedule of a secret"},
	{ "system", M_DELETE, "rotation/config/*path", 0, NULL,          h_config_delete, NULL,
         "forget rule and schedule of a secret"										    },
	{ "system", M_POST,   "rotation/rotate/*path", 0, rotate_fields, h_rotate,        NULL,
         "make a new value and wait until every holder has it"								     },
	{ "system", M_LIST,   "rotation/attempts",     0, NULL,          h_attempt_list,  NULL,
         "rotations that were made"												},
	{ "system", M_GET,    "rotation/attempts/:id", 0, NULL,          h_attempt,       NULL,
         "one rotation"													    },
	{ "system", M_GET,    "rotation/status/*path", 0, NULL,          h_status,        NULL,
         "rule, schedule and last rotation of a secret"									    },
};

const struct route_table routes_rotation = { rows, ARRAY_LEN(rows) };
