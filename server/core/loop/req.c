/* SPDX-License-Identifier: Apache-2.0 */
#include "req.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "vault/limits.h"

static const char *const op_names[OP__MAX] = {
	[OP_READ] = "read",     [OP_LIST] = "list",   [OP_CREATE] = "create",
	[OP_UPDATE] = "update", [OP_PATCH] = "patch", [OP_DELETE] = "delete",
	[OP_SCAN] = "scan",
};

const char *op_name(enum op op)
{
	return op_names[op];
}

bool op_lists(enum op op)
{
	return op == OP_LIST || op == OP_SCAN;
}

int req_fail(struct req *r, enum errcode code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->e.msg, sizeof(r->e.msg), fmt, ap);
	va_end(ap);
	r->e.code = code;
	return (int)code;
}

/* Neither the field's name as the client spelled it nor its value is repeated: ${field}
 * is ours. */
static int wrong_type(struct req *r, const char *field, const char *want)
{
	return req_fail(
		r, ERR_INVALID,
		"Field validation failed: error converting input for field \"%s\": "
		"expected %s",
		field, want);
}

static const struct value *lookup(struct req *r, const char *field, bool *present)
{
	const struct value *v = value_get(r->body, field);

	*present = v != NULL && v->type != V_NULL;
	return *present ? v : NULL;
}

int req_str(struct req *r, const char *field, const char **out, bool *present)
{
	const struct value *v = lookup(r, field, present);
	const char *s;

	if (v == NULL)
		return ERR_OK;
	switch (v->type) {
	case V_STRING:
		if ((s = value_to_cstr(v, r->a)) == NULL)
			return wrong_type(r, field, "text without NUL");
		break;
	case V_NUMBER:
		s = arena_dup(r->a, v->text, v->len);
		break;
	case V_TRUE:
	case V_FALSE:
		s = v->type == V_TRUE ? "true" : "false";
		break;
	default:
		return wrong_type(r, field, "string");
	}
	*out = s;
	return ERR_OK;
}

int req_int(struct req *r, const char *field, int64_t *out, bool *present)
{
	const struct value *v = lookup(r, field, present);

	if (v == NULL)
		return ERR_OK;
	return value_to_int(v, out) == 0 ? ERR_OK : wrong_type(r, field, "int");
}

int req_bool(struct req *r, const char *field, bool *out, bool *present)
{
	const struct value *v = lookup(r, field, present);

	if (v == NULL)
		return ERR_OK;
	return value_to_bool(v, out) == 0 ? ERR_OK : wrong_type(r, field, "bool");
}

int req_duration(struct req *r, const char *field, int64_t *ms, bool *present)
{
	const struct value *v = lookup(r, field, present);
	struct err e;
	int64_t seconds;

	if (v == NULL)
		return ERR_OK;
	if (v->type == V_NUMBER) {
		if (value_to_int(v, &seconds) != 0 || seconds > DURATION_MAX_S ||
		    seconds < -DURATION_MAX_S)
			return wrong_type(r, field, "duration");
		*ms = seconds * 1000;
		return ERR_OK;
	}
	if (v->type != V_STRING || duration_parse(v->text, v->len, ms, &e) != ERR_OK)
		return wrong_type(r, field, "duration");
	return ERR_OK;
}

/* One comma-separated string: items are trimmed, empty ones dropped.  NULL: more than an
 * array could have, or out of memory. */
static struct value *split_list(struct arena *a, const char *s, size_t n)
{
	struct value *list = value_array(a);
	size_t at = 0;

	while (at < n) {
		const char *comma = memchr(s + at, ',', n - at);
		size_t end = comma != NULL ? (size_t)(comma - s) : n;
		size_t from = at, to = end;

		while (from < to && (s[from] == ' ' || s[from] == '\t'))
			from++;
		while (to > from && (s[to - 1] == ' ' || s[to - 1] == '\t'))
			to--;
		if (to > from && list != NULL && list->len == LIMIT_JSON_MEMBERS)
			return NULL;
		if (to > from)
			value_add(list, value_strn(a, s + from, to - from));
		at = end + 1;
	}
	return list;
}

int req_strings(struct req *r, const char *field, struct value **out, bool *present)
{
	const struct value *v = lookup(r, field, present);
	struct value *list;

	if (v == NULL)
		return ERR_OK;
	if (v->type == V_STRING || v->type == V_NUMBER) {
		*out = split_list(r->a, v->text, v->len);
		return *out != NULL ? ERR_OK
		                    : wrong_type(r, field, "list with fewer members");
	}
	if (v->type != V_ARRAY)
		return wrong_type(r, field, "list of strings");
	list = value_array(r->a);
	for (const struct value *i = v->first; i != NULL; i = i->next) {
		if (i->type != V_STRING && i->type != V_NUMBER)
			return wrong_type(r, field, "list of strings");
		value_add(list, value_strn(r->a, i->text, i->len));
	}
	*out = list;
	return ERR_OK;
}

int req_object(struct req *r, const char *field, const struct value **out, bool *present)
{
	const struct value *v = lookup(r, field, present);

	if (v == NULL)
		return ERR_OK;
	if (v->type != V_OBJECT)
		return wrong_type(r, field, "map");
	*out = v;
	return ERR_OK;
}

static struct value *reply_start(struct req *r, enum ipc_reply_kind kind)
{
	if (r->reply == NULL || r->reply_kind != (int)kind) {
		r->reply = value_object(r->a);
		r->reply_kind = (int)kind;
	}
	return r->reply;
}

struct value *reply_envelope(struct req *r)
{
	return reply_start(r, IPC_K_ENVELOPE);
}

struct value *reply_data(struct req *r)
{
	struct value *envelope = reply_envelope(r);
	struct value *data = value_get(envelope, "data");

	if (data == NULL) {
		data = value_object(r->a);
		value_set(envelope, "data", data);
	}
	return data;
}

struct value *reply_bare(struct req *r)
{
	return reply_start(r, IPC_K_BARE);
}

void reply_text(struct req *r, const char *p, size_t n)
{
	r->reply = value_strn(r->a, p, n);
	r->reply_kind = IPC_K_TEXT;
}

void reply_status(struct req *r, int status)
{
	r->status = status;
}

void reply_errors(struct req *r, int status, const char *text, struct value *data)
{
	struct value *list = value_array(r->a);

	r->reply = value_object(r->a);
	r->reply_kind = IPC_K_ERRORS;
	r->status = status;
	if (text != NULL)
		value_add(list, value_str(r->a, text));
	value_set(r->reply, "errors", list);
	if (data != NULL)
		value_set(r->reply, "data", data);
}

void reply_warning(struct req *r, const char *fmt, ...)
{
	struct value *envelope = reply_envelope(r);
	struct value *list = value_get(envelope, "warnings");
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (list == NULL) {
		list = value_array(r->a);
		value_set(envelope, "warnings", list);
	}
	value_add(list, value_strdup(r->a, text, strlen(text)));
}

static struct value *note(struct req *r)
{
	if (r->note == NULL)
		r->note = value_object(r->a);
	return r->note;
}

/* What is said twice is said once: a record with a member twice could not be read. */
static void set_note(struct req *r, const char *key, struct value *v)
{
	struct value *old = value_get(note(r), key);

	if (old == NULL || v == NULL) {
		value_set(note(r), key, v);
		return;
	}
	old->type = v->type;
	old->text = v->text;
	old->len = v->len;
}

void req_note_str(struct req *r, const char *key, const char *s)
{
	set_note(r, key, value_strdup(r->a, s, strlen(s)));
}

void req_note_int(struct req *r, const char *key, int64_t n)
{
	set_note(r, key, value_int(r->a, n));
}

void req_note_bytes(struct req *r, const char *key, const void *p, size_t n)
{
	void *copy = arena_dup(r->a, p, n);

	if (copy != NULL)
		set_note(r, key, value_bytes(r->a, copy, n));
}

void req_unrecorded(struct req *r)
{
	r->unrecorded = true;
}

int req_settle(struct req *r)
{
	struct ident *id = &r->id;

	/* Of a run that was resumed, these are in memory that goes with it. */
	id->display_name = arena_str(r->a, id->display_name);
	if (id->policies != NULL)
		id->policies = value_copy(r->a, id->policies);
	if (id->token != NULL)
		id->token = value_copy(r->a, id->token);
	r->settled = true;
	return arena_failed(r->a) ? req_fail(r, ERR_NOMEM, "out of memory") : ERR_OK;
}
