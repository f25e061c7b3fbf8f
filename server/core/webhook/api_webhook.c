/* SPDX-License-Identifier: Apache-2.0 */
/* api_webhook - who is told of rotations. */
#include <string.h>

#include "api_rotation.h"
#include "arena.h"
#include "rng.h"
#include "rotation_event.h"
#include "text.h"
#include "webhook.h"

#define SCRATCH     ((size_t)4 * 1024 * 1024)
#define SECRET_SIZE 32u /* bytes of a key that is made here */

/* ---- what the request says ---- */

static bool is_loopback(const char *host, size_t n)
{
	return (n == 9 && memcmp(host, "localhost", 9) == 0) ||
	       (n == 5 && memcmp(host, "[::1]", 5) == 0) ||
	       (n >= 4 && memcmp(host, "127.", 4) == 0 &&
	        strspn(host, "0123456789.") >= n);
}

static int check_url(struct req *r, const struct webhook *h)
{
	bool https = strncmp(h->url, "https://", 8) == 0;
	const char *host = h->url + (https ? 8 : 7);
	size_t authority, n;

	if (strlen(h->url) > WEBHOOK_URL_MAX || !text_printable(h->url, strlen(h->url)) ||
	    strchr(h->url, ' ') != NULL || (!https && strncmp(h->url, "http://", 7) != 0))
		return req_fail(r, ERR_INVALID,
		                "url: https://…, of at most %u characters",
		                WEBHOOK_URL_MAX);
	authority = strcspn(host, "/?#");
	n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
	if (n == 0 || n > authority || memchr(host, '@', authority) != NULL)
		return req_fail(r, ERR_INVALID,
		                "url: a host is needed, and no user before it");
	if (!https && !h->insecure && !is_loopback(host, n))
		return req_fail(r, ERR_INVALID,
		                "url: https is needed unless the host is this machine, "
		                "or insecure is set");
	return ERR_OK;
}

static int take_events(struct req *r, struct webhook *h)
{
	struct value *list = NULL;
	bool present;
	int rc = req_strings(r, "events", &list, &present), event;

	if (rc == ERR_OK && !present && h->o.version == 0)
		h->events = (1 << EVENT_STARTED) - 1;
	if (rc != ERR_OK || !present)
		return rc;
	h->events = 0;
	for (const struct value *v = list->first; v != NULL; v = v->next) {
		event = rotation_event_of(v->text, v->len);
		if (event < 0 || event == EVENT_STARTED)
			return req_fail(r, ERR_INVALID,
			                "events: due, done, failed, held, late, "
			                "retire_late, leaked, overdue, jumped, ahead");
		h->events |= 1 << event;
	}
	return h->events != 0 ? ERR_OK
	                      : req_fail(r, ERR_INVALID, "events: name at least one");
}

static int take_paths(struct req *r, struct webhook *h)
{
	struct value *list = NULL;
	bool present;
	int rc = req_strings(r, "paths", &list, &present);

	if (rc == ERR_OK && present)
		h->paths = list->len > 0 ? list : NULL;
	return rc;
}

/* *made: it is new, and nobody but us knows it. */
static int take_secret(struct req *r, struct webhook *h, bool *made)
{
	unsigned char key[SECRET_SIZE];
	bool present;
	char *hex;
	int rc = req_str(r, "secret", &h->secret, &present);
	size_t n = strlen(h->secret);

	*made = false;
	if (rc != ERR_OK || (!present && n > 0))
		return rc;
	if (present && (n < WEBHOOK_SECRET_MIN || n > WEBHOOK_SECRET_MAX ||
	                !text_printable(h->secret, n)))
		return req_fail(r, ERR_INVALID,
		                "secret: printable text of %u to %u bytes",
		                WEBHOOK_SECRET_MIN, WEBHOOK_SECRET_MAX);
	if (present)
		return ERR_OK;
	hex = arena_alloc(r->a, 2 * sizeof(key) + 1);
	if (hex == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rng_bytes(key, sizeof(key));
	text_hex(key, sizeof(key), hex);
	explicit_bzero(key, sizeof(key));
	h->secret = hex;
	*made = true;
	return ERR_OK;
}

static int take_ca(struct req *r, struct webhook *h)
{
	bool present;
	int rc = req_str(r, "ca", &h->ca, &present);

	if (rc == ERR_OK && present && h->ca[0] != '\0' &&
	    (strlen(h->ca) > WEBHOOK_CA_MAX ||
	     (h->ca[0] != '/' && strstr(h->ca, "-----BEGIN") == NULL)))
		return req_fail(r, ERR_INVALID,
		                "ca: PEM text of at most %u bytes, or an absolute path",
		                WEBHOOK_CA_MAX);
	return rc;
}

static int find(struct req *r, struct webhook *h, bool *found)
{
	int rc = webhook_find(r->core, r->a, r->param[0].text, h, &r->e);

	*found = rc == ERR_OK;
	if (rc == ERR_NOENT)
		rc = ERR_OK;
	if (rc == ERR_OK && r->param[0].len > WEBHOOK_NAME_MAX)
		return req_fail(r, ERR_INVALID, "a webhook's name has at most %u bytes",
		                WEBHOOK_NAME_MAX);
	return rc;
}

/* ---- handlers ---- */

static int h_write(struct req *r)
{
	struct webhook h;
	bool found, made, present;
	int rc;

	if ((rc = find(r, &h, &found)) != ERR_OK ||
	    (rc = req_str(r, "url", &h.url, &present)) != ERR_OK ||
	    (rc = req_bool(r, "insecure", &h.insecure, &present)) != ERR_OK ||
	    (rc = req_bool(r, "disabled", &h.disabled, &present)) != ERR_OK ||
	    (rc = take_events(r, &h)) != ERR_OK || (rc = take_paths(r, &h)) != ERR_OK ||
	    (rc = take_secret(r, &h, &made)) != ERR_OK ||
	    (rc = take_ca(r, &h)) != ERR_OK || (rc = check_url(r, &h)) != ERR_OK)
		return rc;
	if (!found && store_count(r->core, KIND_WEBHOOK) >= WEBHOOKS_MAX)
		return req_fail(r, ERR_INVALID,
		                "there are %d webhooks, the most there may be",
		                WEBHOOKS_MAX);
	h.tries = 0;
	h.error = "";
	h.o.due = h.pending > 0 && !h.disabled ? r->core->now_ms : 0;
	if (made)
		value_set_str(r->a, reply_data(r), "secret", h.secret);
	req_note_str(r, "url", h.url);
	return webhook_save(r->core, r->a, &h, &r->e);
}

static struct value *event_names(struct arena *a, int64_t events)
{
	struct value *list = value_array(a);

	for (int i = 0; i < EVENT_STARTED; i++)
		if (events & (1 << i))
			value_add(list, value_str(a, rotation_event_name(
							     (enum rotation_event)i)));
	return list;
}

static int h_read(struct req *r)
{
	struct webhook h;
	struct value *d;
	bool found;
	int rc = find(r, &h, &found);

	if (rc != ERR_OK || !found)
		return rc;
	d = reply_data(r);
	value_set_str(r->a, d, "name", h.name);
	value_set_str(r->a, d, "url", h.url);
	value_set(d, "events", event_names(r->a, h.events));
	value_set(d, "paths",
	          h.paths != NULL ? value_copy(r->a, h.paths) : value_array(r->a));
	value_set_bool(r->a, d, "insecure", h.insecure);
	value_set_bool(r->a, d, "disabled", h.disabled);
	value_set_str(r->a, d, "ca", h.ca);
	value_set_int(r->a, d, "pending", h.pending);
	value_set_int(r->a, d, "delivered", h.delivered);
	value_set_int(r->a, d, "dropped", h.dropped);
	value_set_int(r->a, d, "tries", h.tries);
	value_set_str(r->a, d, "error", h.error);
	value_set(d, "last_delivered", rotation_time(r->a, h.last_ms));
	value_set(d, "next_try", rotation_time(r->a, h.o.due));
	return ERR_OK;
}

/* With thousands of notices that takes several slices. */
static int h_delete(struct req *r)
{
	struct webhook h;
	bool found, done;
	int rc = find(r, &h, &found);

	if (rc != ERR_OK || !found)
		return rc;
	rc = webhook_forget_slice(r->core, r->a, &h, &done, &r->e);
	return rc == ERR_OK && !done ? rotation_park_again(r) : rc;
}

static int h_list(struct req *r)
{
	AUTO_ARENA scratch = arena_new(SCRATCH);
	struct rotation_listing *l = rotation_list_slice(r, scratch, KIND_WEBHOOK);
	struct webhook h;

	if (l == NULL)
		return (int)r->e.code;
	for (size_t i = 0; i < l->n; i++) {
		struct value *info = value_object(r->a);
		char *name;

		if (webhook_read(scratch, &l->at[i], &h, &r->e) != ERR_OK)
			return (int)r->e.code;
		name = arena_str(r->a, h.name);
		if (name == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		value_set_str(r->a, info, "url", arena_str(r->a, h.url));
		value_set(info, "events", event_names(r->a, h.events));
		value_set_bool(r->a, info, "disabled", h.disabled);
		value_set_int(r->a, info, "pending", h.pending);
		value_set_str(r->a, info, "error", arena_str(r->a, h.error));
		value_add(l->keys, value_str(r->a, name));
		value_set(l->info, name, info);
	}
	return rotation_list_end(r, l);
}

/* ---- a try ---- */

static int ask(struct req *r, const struct webhook *h, unsigned char id[STEP_ID])
{
	struct step_order o = { .owner = STEP_FOR_REQUEST,
		                .rotator = WEBHOOK_ROTATOR,
		                .timeout_ms = WEBHOOK_CALL_MS };
	struct value *body = value_object(r->a);

	rng_bytes(id, STEP_ID);
	memcpy(o.id, id, STEP_ID);
	value_set_str(r->a, body, "path", "");
	o.request = webhook_request(r->a, h, id, r->core->now_ms, "test", body);
	if (arena_failed(r->a))
		return req_fail(r, ERR_NOMEM, "out of memory");
	return step_call(r->core, &o, &r->e);
}

static int told(struct req *r, const struct step_result *res)
{
	bool ok = res->outcome == STEP_REPLY && res->status != STEP_ERROR;

	if (!ok)
		return req_fail(r, ERR_UNREACHABLE, "the webhook was not reached: %.180s",
		                res->outcome == STEP_UNKNOWN ? res->reason
		                                             : res->message);
	value_set_bool(r->a, reply_data(r), "delivered", true);
	value_set_str(r->a, reply_data(r), "message", res->message);
	return ERR_OK;
}

static int h_test(struct req *r)
{
	unsigned char *id = r->park_state;
	struct step_result res;
	struct webhook h;
	bool found;
	int rc;

	if (id == NULL) {
		if ((rc = find(r, &h, &found)) != ERR_OK)
			return rc;
		if (!found)
			return req_fail(r, ERR_NOENT, "there is no webhook \"%.100s\"",
			                r->param[0].text);
		if ((id = arena_alloc(r->a, STEP_ID)) == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		if ((rc = ask(r, &h, id)) != ERR_OK)
			return rc == ERR_NOENT
			               ? req_fail(r, ERR_INVALID,
			                          "the rotator \"%s\" is not installed",
			                          WEBHOOK_ROTATOR)
			               : rc;
		r->park_state = id;
	}
	rc = step_take(r->core, r->a, id, &res);
	if (rc == ERR_OK)
		return told(r, &res);
	if (rc == ERR_NOENT && step_under_way(r->core, id))
		return req_park(r, WAIT_STEP, id, INT64_MAX);
	return req_fail(r, ERR_UNREACHABLE, "the rotator's answer was lost");
}

/* ---- routes ---- */

/* clang-format off */
static const struct field webhook_fields[] = {
	{ "url",      "string",  "where events are sent by POST" },
	{ "events",   "strings", "due, done, failed, held, late, retire_late, leaked, overdue, jumped, ahead; all of them" },
	{ "secret",   "string",  "key of the signature: never shown; made if there is none, and shown once" },
	{ "paths",    "strings", "secrets that it is about, as patterns; none: all" },
	{ "ca",       "string",  "PEM text or file of its certificate authority; \"\": the system's" },
	{ "insecure", "bool",    "http:// to another machine is allowed (false)" },
	{ "disabled", "bool",    "nothing is sent, and nothing new is kept for it (false)" },
	{ NULL,       NULL,      NULL },
};
static const struct route rows[] = {
	{ "system", M_LIST,   "rotation/webhooks",            0, NULL,           h_list,   NULL, "who is told of rotations" },
	{ "system", M_GET,    "rotation/webhooks/:name",      0, NULL,           h_read,   NULL, "one of them, and how far it is" },
	{ "system", M_POST,   "rotation/webhooks/:name",      0, webhook_fields, h_write,  NULL, "set where it is and what it wants to hear of" },
	{ "system", M_DELETE, "rotation/webhooks/:name",      0, NULL,           h_delete, NULL, "forget it, with what it was not told yet" },
	{ "system", M_POST,   "rotation/webhooks/:name/test", 0, NULL,           h_test,   NULL, "send it an event \"test\", and say what came of it" },
};
/* clang-format on */

const struct route_table routes_webhook = { rows, ARRAY_LEN(rows) };
