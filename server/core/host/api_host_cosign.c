/* SPDX-License-Identifier: Apache-2.0 */
#include "api_host_cosign.h"

#include <string.h>

#include "arena.h"
#include "audit.h"
#include "audit_search.h"
#include "host.h"
#include "note.h"
#include "rng.h"
#include "text.h"

#define SLICE   128
#define SCRATCH ((size_t)4 * 1024 * 1024)

/* ---- taking one ---- */

struct cosign {
	const char *note;
	struct note_checkpoint head;
	const struct value *signature;
};

/* Signed by our own key, and by the host's over the same text. */
static int read_cosign(struct req *r, const struct host *h, const struct value *data,
                       struct cosign *out)
{
	const struct value *note = value_get(data, "checkpoint");
	const char *key_text;
	struct note_key key;
	size_t body;
	int rc;

	out->note = value_to_cstr(note, r->a);
	out->signature = value_get(data, "signature");
	if (out->note == NULL || note->len >= NOTE_CHECKPOINT_MAX ||
	    out->signature == NULL || out->signature->type != V_BYTES ||
	    out->signature->len != HOST_SIGNATURE)
		return req_fail(r, ERR_INVALID,
		                "cosign: a checkpoint and a signature are needed");
	(void)audit_head(r->core, r->a, &key_text);
	if ((rc = note_key_parse(key_text, strlen(key_text), &key, &r->e)) != ERR_OK)
		return rc;
	if (note_checkpoint_verify(out->note, note->len, &key, &out->head, &r->e) !=
	            ERR_OK ||
	    note_verify(out->note, note->len, &key, 1, &body, &r->e) != ERR_OK)
		return req_fail(r, ERR_INVALID,
		                "cosign: that is no checkpoint of this vault");
	if (out->head.size > INT64_MAX ||
	    !auth_host_cosigned(r->a, h->sign_pk, out->note, body,
	                        (const unsigned char *)out->signature->text))
		return req_fail(r, ERR_INVALID, "cosign: this host has not signed that");
	return ERR_OK;
}

static int save(struct req *r, const struct host *h, const struct cosign *s,
                struct store_object *o)
{
	struct value *b = value_object(r->a);

	value_set_str(r->a, b, "host", h->name);
	value_set_int(r->a, b, "size", (int64_t)s->head.size);
	value_set_str(r->a, b, "note", s->note);
	value_set(b, "signature", value_copy(r->a, s->signature));
	value_set_bytes(r->a, b, "key", h->sign_pk, sizeof(h->sign_pk));
	value_set_int(r->a, b, "at", r->core->now_ms);
	o->body = b;
	if (arena_failed(r->a))
		return req_fail(r, ERR_NOMEM, "out of memory");
	return store_put(r->core, o, &r->e);
}

/* The log signed what it does not hold: it was cut, or this is an older backup. */
static int note_shorter(struct req *r, struct host *h, const struct cosign *s)
{
	if ((int64_t)s->head.size <= audit_size(r->core))
		return ERR_OK;
	host_alarm(r->core, r->a, h, ALARM_SHORTER, r->remote);
	req_note_str(r, "alarm", ALARM_SHORTER);
	return host_save(r->core, r->a, h, &r->e);
}

int agent_take_cosign(struct req *r)
{
	struct store_object o = { .version = 0 };
	const struct value *data;
	struct cosign s = { .note = NULL };
	struct host h;
	bool stop;
	int rc = host_self(r, &h, &stop);

	if (rc != ERR_OK || stop)
		return rc;
	if ((rc = host_heard(r, &h, "cosign", &data)) != ERR_OK ||
	    (rc = read_cosign(r, &h, data, &s)) != ERR_OK)
		return rc;
	rc = store_get(r->core, r->a, KIND_COSIGN, h.o.id, HOST_ID, &o, &r->e);
	if (rc == ERR_NOENT) {
		o = (struct store_object){ .kind = KIND_COSIGN, .id_len = HOST_ID };
		memcpy(o.id, h.o.id, HOST_ID);
	} else if (rc != ERR_OK) {
		return rc;
	}
	/* An older one that was held back on its way proves less. */
	if (value_int_or(o.body, "size", -1) >= (int64_t)s.head.size)
		return ERR_OK;
	req_note_int(r, "size", (int64_t)s.head.size);
	if ((rc = save(r, &h, &s, &o)) != ERR_OK)
		return rc;
	return note_shorter(r, &h, &s);
}

/* ---- listing ---- */

struct listing {
	struct value *list;
	unsigned char after[STORE_ID_MAX];
	size_t n; /* of the slice */
	bool started;
	struct req *r;
};

static struct value *base64_of(struct arena *a, const struct value *bytes)
{
	char *text = bytes != NULL ? arena_alloc(a, TEXT_BASE64_LEN(bytes->len) + 1)
	                           : NULL;

	if (text != NULL)
		text_base64(bytes->text, bytes->len, text);
	return value_str(a, text);
}

static int add(void *ctx, struct store_object *o, struct err *e)
{
	struct listing *l = ctx;
	struct arena *a = l->r->a;
	struct value *v = value_object(a);
	char time[CLOCK_RFC3339_MAX], *id = arena_alloc(a, 2 * HOST_ID + 1);

	if (id == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	text_hex(o->id, HOST_ID, id);
	clock_rfc3339(value_int_or(o->body, "at", 0), time);
	value_set_str(a, v, "host", value_cstr_or(a, o->body, "host", ""));
	value_set_str(a, v, "host_id", id);
	value_set_int(a, v, "size", value_int_or(o->body, "size", 0));
	value_set_str(a, v, "time", arena_str(a, time));
	value_set(v, "key", base64_of(a, value_get(o->body, "key")));
	value_set_str(a, v, "checkpoint", value_cstr_or(a, o->body, "note", ""));
	value_set(v, "signature", base64_of(a, value_get(o->body, "signature")));
	value_add(l->list, v);
	memcpy(l->after, o->id, HOST_ID);
	l->n++;
	return ERR_OK;
}

int host_witnesses(struct req *r)
{
	AUTO_ARENA scratch = arena_new(SCRATCH);
	struct listing *l = r->park_state;
	unsigned char key[16];
	int rc;

	if (l == NULL && (l = arena_alloc(r->a, sizeof(*l))) != NULL) {
		*l = (struct listing){ .list = value_array(r->a), .r = r };
		r->park_state = l;
	}
	if (l == NULL || scratch == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	l->r = r;
	l->n = 0;
	rc = store_each(r->core, scratch, KIND_COSIGN, l->started ? l->after : NULL,
	                HOST_ID, SLICE, add, l, &r->e);
	if (rc != ERR_OK)
		return rc;
	l->started = true;
	if (l->n == SLICE) {
		rng_bytes(key, sizeof(key));
		return req_park(r, WAIT_JOB, key, r->core->boot_ms);
	}
	value_set(reply_data(r), "witnesses", l->list);
	return ERR_OK;
}
