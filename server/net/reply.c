/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply - answers as HTTP.
 *
 * The memory of a reply belongs to libmicrohttpd's response object and is wiped when the
 * last reference to it goes: the connection's or ours, whichever is later.
 */
#include <sodium.h>
#include <string.h>

#include "log.h"
#include "net.h"

#define JSON_TYPE "application/json"
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define BIG_REPLY ((size_t)256 * 1024)

/* Vault's envelope: all of these, in this order, with these values where core says
 * nothing. */
static const struct {
	const char *key;
	const char *absent; /* JSON */
} envelope[] = {
	{"lease_id",        "\"\"" },
        { "renewable",      "false"},
        { "lease_duration", "0"    },
	{ "data",           "null" },
        { "wrap_info",      "null" },
        { "warnings",       "null" },
	{ "auth",           "null" },
        { "mount_type",     "\"\"" },
};

static bool is_set(const struct value *v)
{
	return v != NULL && v->type != V_NULL;
}

static bool named(const struct value *member, const char *key)
{
	return member->key_len == strlen(key) &&
	       memcmp(member->key, key, member->key_len) == 0;
}

static bool in_envelope(const struct value *member)
{
	if (named(member, "request_id"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(envelope); i++)
		if (named(member, envelope[i].key))
			return true;
	return false;
}

static void write_member(struct jbuf *out, const char *key, size_t key_len)
{
	jbuf_lit(out, ",");
	json_write_str(out, key, key_len);
	jbuf_lit(out, ":");
}

/* Old clients read some endpoints' data at the top level. */
static void write_injected(struct jbuf *out, const struct value *data)
{
	for (const struct value *m = is_set(data) ? data->first : NULL; m != NULL;
	     m = m->next) {
		if (in_envelope(m))
			continue;
		write_member(out, m->key, m->key_len);
		json_write(out, m);
	}
}

static void write_envelope(struct jbuf *out, const struct value *id,
                           const struct value *body)
{
	bool inject = false;

	jbuf_lit(out, "{\"request_id\":");
	if (is_set(value_get(body, "wrap_info")) || !is_set(id))
		jbuf_lit(out, "\"\"");
	else
		json_write_str(out, id->text, id->len);
	for (size_t i = 0; i < ARRAY_LEN(envelope); i++) {
		const struct value *v = value_get(body, envelope[i].key);

		write_member(out, envelope[i].key, strlen(envelope[i].key));
		if (is_set(v))
			json_write(out, v);
		else
			jbuf_add(out, envelope[i].absent, strlen(envelope[i].absent));
	}
	if (value_to_bool(value_get(body, "inject"), &inject) == 0 && inject)
		write_injected(out, value_get(body, "data"));
	jbuf_lit(out, "}\n");
}

static bool render_body(int64_t kind, const struct value *id, const struct value *body,
                        struct jbuf *out)
{
	switch (kind) {
	case IPC_K_EMPTY:
		return true;
	case IPC_K_ENVELOPE:
		write_envelope(out, id, body);
		return true;
	case IPC_K_TEXT:
		if (body == NULL || body->type != V_STRING)
			return false;
		jbuf_add(out, body->text, body->len);
		return true;
	case IPC_K_BARE:
	case IPC_K_ERRORS:
		json_write(out, body);
		jbuf_lit(out, "\n");
		return true;
	default:
		return false;
	}
}

bool reply_render(const struct value *v, unsigned *status, int *retry, struct jbuf *out)
{
	const struct value *field[IPC_RP__COUNT];
	const struct value *next = v != NULL && v->type == V_ARRAY ? v->first : NULL;
	int64_t code, kind, seconds;

	if (next == NULL || v->len != IPC_RP__COUNT)
		return false;
	for (size_t i = 0; i < IPC_RP__COUNT; i++, next = next->next)
		field[i] = next;
	if (value_to_int(field[IPC_RP_STATUS], &code) != 0 || code < 200 || code > 599 ||
	    value_to_int(field[IPC_RP_KIND], &kind) != 0 ||
	    value_to_int(field[IPC_RP_RETRY], &seconds) != 0 ||
	    (is_set(field[IPC_RP_REQUEST_ID]) &&
	     field[IPC_RP_REQUEST_ID]->type != V_STRING))
		return false;
	*status = (unsigned)code;
	*retry = seconds > 0 && seconds < 86400 ? (int)seconds : 0;
	return render_body(kind, field[IPC_RP_REQUEST_ID], field[IPC_RP_BODY], out) &&
	       !out->failed;
}

void reply_error_text(struct jbuf *out, const char *text)
{
	jbuf_lit(out, "{\"errors\":[");
	if (text != NULL)
		json_write_str(out, text, strlen(text));
	jbuf_lit(out, "]}\n");
}

static void release(void *cls)
{
	struct jbuf *b = cls;

	jbuf_free(b);
	free(b);
}

/* A response that owns ${b} (which is emptied); NULL if out of memory. */
static struct MHD_Response *make_response(struct jbuf *b)
{
	struct jbuf *own = malloc(sizeof(*own));
	struct MHD_Response *r;

	if (own == NULL || b->failed) {
		free(own);
		jbuf_free(b);
		return NULL;
	}
	*own = *b;
	*b = (struct jbuf){ NULL, 0, 0, false };
	r = MHD_create_response_from_buffer_with_free_callback_cls(own->len, own->p,
	                                                           release, own);
	if (r == NULL)
		release(own);
	return r;
}

/* Give ${c} its answer; without memory for it the connection is cut. */
static void answer(struct conn *c, unsigned status, int retry, struct jbuf *b)
{
	struct MHD_Response *r;
	char text[16];

	c->big = b->len > BIG_REPLY;
	r = make_response(b);
	if (r == NULL) {
		log_warn("out of memory for a reply", LOG_S("remote", c->remote));
		c->gone = true;
		conn_cut(c);
		return;
	}
	MHD_add_response_header(r, "Content-Type", c->text ? TEXT_TYPE : JSON_TYPE);
	MHD_add_response_header(r, "Cache-Control", "no-store");
	if (retry > 0) {
		snprintf(text, sizeof(text), "%d", retry);
		MHD_add_response_header(r, "Retry-After", text);
	}
	/* One of the few spellings of the only one there is. */
	if (c->name_space != NULL && c->name_space[0] != '\0' && known_namespace(c))
		MHD_add_response_header(r, "X-Vault-Namespace", c->name_space);
	if (c->net->draining)
		MHD_add_response_header(r, "Connection", "close");
	c->response = r;
	c->status = status;
}

void answer_errors(struct conn *c, unsigned status, const char *reason, const char *text)
{
	struct jbuf b = { NULL, 0, 0, false };

	if (reason != NULL)
		net_reject(c->net, c->remote, reason);
	reply_error_text(&b, text);
	answer(c, status, status == 503 ? 1 : 0, &b);
}

void answer_rate(struct conn *c, int seconds)
{
	struct jbuf b = { NULL, 0, 0, false };
	char text[256];
	int shown = (int)strcspn(c->target, "?");

	if (shown > 4 && shown < 128)
		snprintf(text, sizeof(text),
		         "request path \"%.*s\": rate limit quota exceeded", shown - 4,
		         c->target + 4);
	else
		snprintf(text, sizeof(text), "rate limit quota exceeded");
	net_reject(c->net, c->remote, "too many requests");
	reply_error_text(&b, text);
	answer(c, 429, seconds, &b);
}

void answer_json(struct conn *c, unsigned status, const struct value *v)
{
	struct jbuf b = { NULL, 0, 0, false };

	json_write(&b, v);
	jbuf_lit(&b, "\n");
	answer(c, status, 0, &b);
}

static int64_t value_int_at(const struct value *v, size_t at)
{
	int64_t n = -1;

	(void)value_to_int(value_at(v, at), &n);
	return n;
}

void answer_reply(struct conn *c, const struct value *v)
{
	struct jbuf b = { NULL, 0, 0, false };
	unsigned status;
	int retry;

	if (reply_render(v, &status, &retry, &b)) {
		c->text = value_int_at(v, IPC_RP_KIND) == IPC_K_TEXT;
		answer(c, status, retry, &b);
		return;
	}
	jbuf_free(&b);
	log_error("core sent a reply that cannot be rendered", LOG_N("frame", c->id));
	answer_errors(c, 500, NULL, "internal error");
}
