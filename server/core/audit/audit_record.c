/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_record.h"

#include <string.h>

#define TAG_NULL   0x00
#define TAG_NUMBER 0x03
#define TAG_STRING 0x04
#define TAG_ARRAY  0x06
#define HEAD       5u /* tag and length */
#define DIGITS     20u

static const char *const names[AUDIT_F__COUNT] = {
	[AUDIT_F_TIME] = "time_ms",
	[AUDIT_F_BOOT] = "boot_ms",
	[AUDIT_F_ACTOR_TYPE] = "actor_type",
	[AUDIT_F_ACTOR] = "actor",
	[AUDIT_F_ACCESSOR] = "accessor",
	[AUDIT_F_REMOTE] = "remote",
	[AUDIT_F_OPERATION] = "operation",
	[AUDIT_F_PATH] = "path",
	[AUDIT_F_OUTCOME] = "outcome",
	[AUDIT_F_STATUS] = "status",
	[AUDIT_F_ERROR] = "error",
	[AUDIT_F_REQUEST_ID] = "request_id",
	[AUDIT_F_NOTE] = "note",
};

static size_t text_len(const char *s)
{
	return s != NULL ? strlen(s) : 0;
}

size_t audit_record_size(const struct audit_record *r)
{
	return HEAD + 4 + AUDIT_F__COUNT * HEAD + 4 * (size_t)DIGITS +
	       text_len(r->actor_type) + text_len(r->actor) + text_len(r->accessor) +
	       text_len(r->remote) + text_len(r->operation) + text_len(r->path) +
	       text_len(r->outcome) + text_len(r->error) + text_len(r->request_id) +
	       (r->note != NULL ? value_size(r->note) : 1);
}

static unsigned char *put_u32(unsigned char *p, size_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
	return p + 4;
}

static unsigned char *put_text(unsigned char *p, unsigned char tag, const char *s,
                               size_t n)
{
	*p = tag;
	p = put_u32(p + 1, n);
	if (n > 0)
		memcpy(p, s, n);
	return p + n;
}

static unsigned char *put_str(unsigned char *p, const char *s)
{
	return put_text(p, TAG_STRING, s, text_len(s));
}

static unsigned char *put_int(unsigned char *p, int64_t v)
{
	char text[DIGITS], *end = text + sizeof(text), *at = end;
	uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
	} while (left != 0);
	if (v < 0)
		*--at = '-';
	return put_text(p, TAG_NUMBER, at, (size_t)(end - at));
}

size_t audit_record_encode(const struct audit_record *r, int64_t time_ms, int64_t boot_ms,
                           unsigned char *out)
{
	unsigned char *p = out + HEAD;

	p = put_u32(p, AUDIT_F__COUNT);
	p = put_int(p, AUDIT_RECORD_VERSION);
	p = put_int(p, time_ms);
	p = put_int(p, boot_ms);
	p = put_str(p, r->actor_type);
	p = put_str(p, r->actor);
	p = put_str(p, r->accessor);
	p = put_str(p, r->remote);
	p = put_str(p, r->operation);
	p = put_str(p, r->path);
	p = put_str(p, r->outcome);
	p = put_int(p, r->status);
	p = put_str(p, r->error);
	p = put_str(p, r->request_id);
	if (r->note != NULL)
		p += value_encode(r->note, p);
	else
		*p++ = TAG_NULL;
	out[0] = TAG_ARRAY;
	/* The length of an array covers its count. */
	put_u32(out + 1, (size_t)(p - out) - HEAD);
	return (size_t)(p - out);
}

static bool type_ok(size_t at, enum value_type type)
{
	switch (at) {
	case AUDIT_F_VERSION:
	case AUDIT_F_TIME:
	case AUDIT_F_BOOT:
	case AUDIT_F_STATUS:
		return type == V_NUMBER;
	case AUDIT_F_NOTE:
		return type == V_NULL || type == V_OBJECT;
	default:
		return type == V_STRING;
	}
}

int audit_record_decode(struct arena *a, const void *p, size_t n, struct value **out,
                        struct err *e)
{
	struct value *rec;
	size_t at = 0;
	int64_t version;
	int rc;

	if ((rc = value_decode(a, p, n, &rec, e)) != ERR_OK)
		return rc == ERR_NOMEM ? rc
		                       : err_set(e, ERR_INTEGRITY, "not an audit record");
	if (rec->type != V_ARRAY || rec->len != AUDIT_F__COUNT ||
	    value_to_int(rec->first, &version) != 0 || version != AUDIT_RECORD_VERSION)
		return err_set(e, ERR_INTEGRITY,
		               "not an audit record of a known version");
	for (const struct value *v = rec->first; v != NULL; v = v->next, at++)
		if (!type_ok(at, v->type))
			return err_set(e, ERR_INTEGRITY, "not an audit record");
	*out = rec;
	return ERR_OK;
}

static struct value *shown(struct arena *a, const struct value *v)
{
	switch (v->type) {
	case V_NUMBER:
		return value_number(a, v->text, v->len);
	case V_STRING:
		return value_strn(a, v->text, v->len);
	default:
		return value_copy(a, v);
	}
}

struct value *audit_record_object(struct arena *a, const struct value *rec, int64_t index)
{
	struct value *o = value_object(a);
	size_t at = 0;

	value_set_int(a, o, "index", index);
	for (const struct value *v = rec->first; v != NULL; v = v->next, at++)
		if (names[at] != NULL)
			value_set(o, names[at], shown(a, v));
	return o;
}
