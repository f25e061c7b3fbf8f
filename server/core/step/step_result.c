/* SPDX-License-Identifier: Apache-2.0 */
/* step_result - what a rotator has said, out of a frame that may hold anything. */
#include <string.h>

#include "step_impl.h"
#include "vault/limits.h"

struct name {
	const char *text;
	int value;
};

static const struct name statuses[] = {
	{"ok",     STEP_OK   },
	{ "noop",  STEP_NOOP },
	{ "error", STEP_ERROR},
	{ NULL,    0         }
};
static const struct name classes[] = {
	{"retryable",       STEP_RETRYABLE     },
        { "rejected_value", STEP_REJECTED_VALUE},
	{ "auth",           STEP_AUTH          },
        { "permanent",      STEP_PERMANENT     },
	{ NULL,             STEP_CLASS_NONE    },
};
static const struct name probes[] = {
	{"valid",    STEP_PROBE_VALID  },
	{ "invalid", STEP_PROBE_INVALID},
	{ NULL,      STEP_PROBE_UNKNOWN},
};

/* The value of the row that ${v} names; of the last one if there is none. */
static int look_up(const struct name *table, const struct value *v, bool *found)
{
	while (table->text != NULL && !value_is_str(v, table->text))
		table++;
	*found = table->text != NULL;
	return table->value;
}

static enum step_probe probe_of(const struct value *probe, const char *which)
{
	bool found;

	return (enum step_probe)look_up(probes, value_get(probe, which), &found);
}

static const char *text_of(struct arena *a, const struct value *o, const char *key)
{
	const char *s = value_cstr_or(a, o, key, "");

	return s != NULL ? s : "";
}

/* Credentials are objects of strings. */
static bool fields_ok(const struct value *fields)
{
	if (fields == NULL || fields->type == V_NULL)
		return true;
	if (fields->type != V_OBJECT)
		return false;
	for (const struct value *m = fields->first; m != NULL; m = m->next)
		if (m->type != V_STRING)
			return false;
	return true;
}

static const struct value *object_or_null(const struct value *v)
{
	return v != NULL && v->type == V_OBJECT ? v : NULL;
}

static bool read_reply(struct arena *a, const struct value *v, struct step_result *out)
{
	const struct value *probe = value_get(v, "probe");
	const struct value *fields = value_get(v, "fields");
	bool has_status, has_class;

	out->outcome = STEP_REPLY;
	out->started = true;
	out->status = (enum step_status)look_up(statuses, value_get(v, "status"),
	                                        &has_status);
	out->class = (enum step_class)look_up(classes, value_get(v, "class"), &has_class);
	if (!has_status || !fields_ok(fields) ||
	    (out->status == STEP_ERROR && !has_class))
		return false;
	if (out->status != STEP_ERROR)
		out->class = STEP_CLASS_NONE;
	out->message = text_of(a, v, "message");
	out->fields = object_or_null(fields);
	out->current = probe_of(probe, "current");
	out->pending = probe_of(probe, "pending");
	out->previous = probe_of(probe, "previous");
	out->describe = object_or_null(value_get(v, "describe"));
	out->retry_after_ms = value_int_or(v, "retry_after_ms", 0);
	if (out->retry_after_ms < 0)
		out->retry_after_ms = 0;
	return true;
}

void step_result_unknown(bool started, const char *reason, struct step_result *out)
{
	*out = (struct step_result){
		.outcome = STEP_UNKNOWN,
		.started = started,
		.reason = reason,
		.message = "",
	};
}

void step_result_read(struct arena *a, const void *payload, size_t n,
                      struct step_result *out)
{
	static const char malformed[] = "the rotate role sent a malformed reply";
	const struct value *sum;
	struct value *v = NULL;
	void *copy = arena_dup(a, payload, n);
	struct err e;

	step_result_unknown(true, malformed, out);
	if (copy == NULL || value_decode(a, copy, n, &v, &e) != ERR_OK)
		return;
	if (value_is_str(value_get(v, "outcome"), "unknown")) {
		out->started = value_bool_or(v, "started", true);
		out->reason = text_of(a, v, "reason");
	} else if (value_is_str(value_get(v, "outcome"), "reply")) {
		out->reason = "";
		if (!read_reply(a, v, out) || arena_failed(a))
			step_result_unknown(true, malformed, out);
	}
	sum = value_get(v, "sha256");
	if (sum != NULL && sum->type == V_BYTES && sum->len == 32)
		out->sha256 = (const unsigned char *)sum->text;
}

void step_result_copy(struct arena *a, const struct step_result *r,
                      struct step_result *out)
{
	*out = *r;
	out->reason = arena_str(a, r->reason);
	out->message = arena_str(a, r->message);
	out->fields = r->fields != NULL ? value_copy(a, r->fields) : NULL;
	out->describe = r->describe != NULL ? value_copy(a, r->describe) : NULL;
	out->sha256 = r->sha256 != NULL ? arena_dup(a, r->sha256, 32) : NULL;
}
