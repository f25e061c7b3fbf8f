/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth_token.h"
#include "help.h"
#include "limit.h"
#include "log.h"
#include "mounts.h"
#include "path.h"
#include "policy.h"
#include "route.h"
#include "vault/limits.h"
#include "wrap.h"

#define NAMES_WARNED 32u

static int field_int(const struct value *rq, size_t at, int64_t lo, int64_t hi,
                     int64_t *out)
{
	return value_to_int(value_at(rq, at), out) == 0 && *out >= lo && *out <= hi ? 0
	                                                                            : -1;
}

static const struct value *object_or_empty(struct arena *a, const struct value *v)
{
	return v != NULL && v->type == V_OBJECT ? v : value_object(a);
}

static int decode_text(struct req *r, const struct value *rq)
{
	const struct value *path = value_at(rq, IPC_RQ_PATH);
	const struct value *token = value_at(rq, IPC_RQ_TOKEN);
	const struct value *remote = value_at(rq, IPC_RQ_REMOTE);

	if (path == NULL || path->type != V_STRING ||
	    path_check(path->text, path->len, &r->e) != ERR_OK)
		return req_fail(r, ERR_INVALID, "path is not canonical");
	r->path = value_to_cstr(path, r->a);
	r->path_len = path->len;
	if (token != NULL && token->type == V_STRING) {
		if (token->len > LIMIT_TOKEN_TEXT)
			return req_fail(r, ERR_DENIED, "permission denied");
		r->token = value_to_cstr(token, r->a);
	}
	if (remote == NULL || remote->len > 64 ||
	    (r->remote = value_to_cstr(remote, r->a)) == NULL)
		return req_fail(r, ERR_INVALID, "malformed frame");
	return r->path != NULL ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

static enum op op_of(enum http_method m)
{
	switch (m) {
	case HTTP_LIST:
		return OP_LIST;
	case HTTP_POST:
		return OP_UPDATE;
	case HTTP_PATCH:
		return OP_PATCH;
	case HTTP_DELETE:
		return OP_DELETE;
	case HTTP_SCAN:
		return OP_SCAN;
	default:
		return OP_READ;
	}
}

int dispatch_decode(struct req *r, const void *p, size_t n)
{
	struct value *rq;
	int64_t method, wrap, listener, flags;

	r->path = "";
	r->remote = "";
	r->query = r->body = value_object(r->a);
	if (value_decode(r->in != NULL ? r->in : r->a, p, n, &rq, &r->e) != ERR_OK)
		return req_fail(r, ERR_INVALID, "malformed frame");
	if (rq->type != V_ARRAY || rq->len != IPC_RQ__COUNT ||
	    field_int(rq, IPC_RQ_METHOD, HTTP_GET, HTTP_SCAN, &method) != 0 ||
	    field_int(rq, IPC_RQ_WRAP_TTL, 0, INT32_MAX, &wrap) != 0 ||
	    field_int(rq, IPC_RQ_LISTENER, IPC_ON_API, IPC_ON_UNIX, &listener) != 0 ||
	    field_int(rq, IPC_RQ_FLAGS, 0, INT32_MAX, &flags) != 0)
		return req_fail(r, ERR_INVALID, "malformed frame");
	r->method = (enum http_method)method;
	r->op = op_of(r->method);
	r->wrap_ttl_s = wrap;
	r->listener = (unsigned)listener;
	r->flags = (unsigned)flags;
	r->client = value_at(rq, IPC_RQ_CLIENT);
	if (r->client->type != V_OBJECT)
		r->client = NULL;
	r->query = object_or_empty(r->a, value_at(rq, IPC_RQ_QUERY));
	r->body = object_or_empty(r->a, value_at(rq, IPC_RQ_BODY));
	if (r->op == OP_READ || op_lists(r->op) || r->op == OP_DELETE)
		r->body = r->query;
	return decode_text(r, rq);
}

/* A list is authorised and routed with a slash at its end, anything else without one:
 * what a rule says of a name holds for all that is served under it.  Only the root of a
 * mount at the top keeps its slash. */
int dispatch_slash(struct req *r)
{
	size_t n = r->path_len;
	bool slash = n > 0 && r->path[n - 1] == '/';

	if (slash == op_lists(r->op))
		return ERR_OK;
	if (r->op == OP_UPDATE || r->op == OP_PATCH)
		return req_fail(r, ERR_INVALID, "cannot write to a path ending in '/'");
	if (slash && memchr(r->path, '/', n - 1) == NULL)
		return ERR_OK;
	r->path_len = slash ? n - 1 : n + 1;
	r->path = slash ? arena_dup(r->a, r->path, n - 1)
	                : arena_printf(r->a, "%s/", r->path);
	return r->path != NULL ? ERR_OK : req_fail(r, ERR_NOMEM, "out of memory");
}

static int check_place(struct req *r)
{
	const struct route *row = r->route;
	bool on_hosts = r->listener == IPC_ON_HOSTS;

	if (on_hosts ? (row->flags & (R_HOSTS | R_HOSTS_TOO)) == 0
	             : (row->flags & R_HOSTS) != 0)
		return req_fail(r, ERR_NOENT,
		                "1 error occurred:\n\t* unsupported path\n\n");
	if ((row->flags & R_LOOPBACK) && !(r->flags & IPC_F_LOOPBACK) &&
	    !r->core->opt.init_anywhere)
		return req_fail(r, ERR_DENIED,
		                "only answered on loopback or the Unix socket");
	return ERR_OK;
}

static bool is_anon(const struct req *r)
{
	return (r->route->flags & R_ANON) ||
	       ((r->route->flags & R_MAYBE_ANON) && r->token == NULL) ||
	       ((r->route->flags & R_SHARES) && r->core->opt.unauthenticated_rekey);
}

int dispatch_admit(struct req *r)
{
	struct core *c = r->core;
	bool by_itself;
	int rc, found;

	found = route_find(r);
	if ((r->flags & IPC_F_HELP) &&
	    (help_mount(r) || found == ERR_OK || found == ERR_METHOD)) {
		help_route(r);
		found = ERR_OK;
	}
	if (c->keys == NULL && (found != ERR_OK || !(r->route->flags & R_WHEN_SEALED)))
		return req_fail(r, ERR_SEALED, "Vault is sealed");
	/* What exists is told only to those who may ask: an unknown path is authorised
	 * like a known one. */
	if (found != ERR_OK) {
		struct err why = r->e;

		r->route = NULL;
		if ((rc = token_authenticate(r)) != ERR_OK ||
		    (rc = limit_token(r)) != ERR_OK || (rc = policies_allow(r)) != ERR_OK)
			return rc;
		r->e = why;
		return found;
	}
	if ((rc = check_place(r)) != ERR_OK)
		return rc;
	if (r->settled)
		return ERR_OK;
	if (is_anon(r))
		return limit_login(r);
	if ((r->route->flags & R_WRAP_TOKEN) &&
	    ((rc = wrap_present(r, &by_itself)) != ERR_OK || by_itself))
		return rc;
	if ((rc = token_authenticate(r)) != ERR_OK || (rc = limit_token(r)) != ERR_OK)
		return rc;
	if ((r->route->flags & (R_HOST_ONLY | R_HOST_SELF)) && r->id.type != IDENT_HOST)
		return req_fail(r, ERR_DENIED,
		                "1 error occurred:\n\t* permission denied\n\n");
	return ERR_OK;
}

static bool known_field(const struct route *row, const struct value *member)
{
	if (row->fields == NULL)
		return false;
	for (const struct field *f = row->fields; f->name != NULL; f++)
		if (strlen(f->name) == member->key_len &&
		    memcmp(f->name, member->key, member->key_len) == 0)
			return true;
	return false;
}

/* Is it a parameter of the path that has been given there, which has the last word? */
static bool in_path(const struct req *r, const struct value *member)
{
	const char *p = r->route->pattern;

	for (size_t i = 0; (p = strpbrk(p, ":*")) != NULL; i++) {
		size_t n = strcspn(++p, "/");

		if (n == member->key_len && memcmp(p, member->key, n) == 0)
			return i < REQ_PARAMS && r->param[i].len > 0;
	}
	return false;
}

/* Names of body members for a warning, in alphabetical order; the rest is left out. */
struct name_list {
	const struct value *at[NAMES_WARNED];
	size_t n;
};

static int by_name(const struct value *a, const struct value *b)
{
	size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
	int cmp = memcmp(a->key, b->key, n);

	return cmp != 0 ? cmp : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static void name_add(struct name_list *l, const struct value *member)
{
	size_t at = l->n;

	if (l->n == NAMES_WARNED)
		return;
	for (l->n++; at > 0 && by_name(l->at[at - 1], member) > 0; at--)
		l->at[at] = l->at[at - 1];
	l->at[at] = member;
}

static const char *name_text(struct req *r, const struct name_list *l)
{
	char text[200];
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (n + l->at[i]->key_len + 2 > sizeof(text))
			continue;
		if (n > 0)
			text[n++] = ' ';
		memcpy(text + n, l->at[i]->key, l->at[i]->key_len);
		n += l->at[i]->key_len;
	}
	text[n] = '\0';
	return arena_str(r->a, text);
}

static void warn_fields(struct req *r)
{
	struct name_list unknown = { .n = 0 }, replaced = { .n = 0 };

	if (r->route->flags & R_OPEN_BODY)
		return;
	for (const struct value *m = r->body->first; m != NULL; m = m->next) {
		if (in_path(r, m))
			name_add(&replaced, m);
		else if (!known_field(r->route, m))
			name_add(&unknown, m);
	}
	if (unknown.n > 0)
		reply_warning(r, "Endpoint ignored these unrecognized parameters: [%s]",
		              name_text(r, &unknown));
	if (replaced.n > 0)
		reply_warning(r,
		              "Endpoint replaced the value of these parameters with the "
		              "values captured from the endpoint's path: [%s]",
		              name_text(r, &replaced));
}

/* The members that the row names, and all of them where any may come; of others the
 * names, for the warning. */
static struct value *keep_fields(struct req *r, const struct value *object)
{
	struct value *kept = value_object(r->a);
	size_t strange = 0;

	for (const struct value *m = object->first; m != NULL; m = m->next) {
		bool known = (r->route->flags & R_OPEN_BODY) || known_field(r->route, m);

		if (known || ++strange <= NAMES_WARNED)
			value_setn(kept, arena_dup(r->a, m->key, m->key_len), m->key_len,
			           known ? value_copy(r->a, m) : value_null(r->a));
	}
	return kept;
}

void dispatch_shrink(struct req *r)
{
	bool same = r->body == r->query;

	if (r->in == NULL)
		return;
	r->body = keep_fields(r, r->body);
	r->query = same ? r->body : keep_fields(r, r->query);
	r->client = r->client != NULL ? value_copy(r->a, r->client) : NULL;
	arena_free(r->in);
	r->in = NULL;
}

/* What would be sent is kept instead. */
static int wrap(struct req *r)
{
	dispatch_finish(r, ERR_OK);
	return wrap_wanted(r) ? wrap_reply(r) : ERR_OK;
}

int dispatch_act(struct req *r)
{
	const struct route *row = r->route;
	bool exists = true;
	int rc;

	/* Asked anew after a wait: it may have come or gone meanwhile. */
	if ((r->op == OP_UPDATE || r->op == OP_CREATE) && !r->settled &&
	    row->exists != NULL) {
		if ((rc = row->exists(r, &exists)) != ERR_OK)
			return rc;
		r->op = exists ? OP_UPDATE : OP_CREATE;
	}
	if (!r->settled && !r->id.wrap_itself && !is_anon(r) &&
	    !(row->flags & (R_MAYBE_ANON | R_SELF | R_HOST_SELF)) &&
	    (rc = policies_allow(r)) != ERR_OK)
		return rc;
	rc = row->handler(r);
	if (rc == ERR_OK && arena_failed(r->a))
		return req_fail(r, ERR_NOMEM,
		                "request needs more memory than one may have");
	/* An answer without a body stays so, as in Vault: clients expect 204. */
	if (rc == ERR_OK && r->reply_kind == IPC_K_ENVELOPE)
		warn_fields(r);
	return rc == ERR_OK && r->wrap_ttl_s > 0 ? wrap(r) : rc;
}

static void finish_error(struct req *r, int rc)
{
	const struct errclass *k;
	enum errcode code = rc > 0 && rc < ERR__MAX ? (enum errcode)rc : ERR_INTERNAL;
	char text[ERR_MSG_MAX + 64];

	k = &errclasses[code];
	if (k->public_msg) {
		snprintf(text, sizeof(text), "%s", r->e.msg);
	} else {
		log_error("request failed", LOG_S("request_id", r->request_id),
		          LOG_S("class", k->wire), LOG_S("cause", r->e.msg));
		snprintf(text, sizeof(text), "internal error (request %s)",
		         r->request_id);
	}
	reply_errors(r, k->http_status, text[0] != '\0' ? arena_str(r->a, text) : NULL,
	             NULL);
}

static bool list_is_empty(const struct req *r)
{
	const struct value *keys = value_get(value_get(r->reply, "data"), "keys");

	return op_lists(r->op) && keys != NULL && keys->type == V_ARRAY && keys->len == 0;
}

void dispatch_finish(struct req *r, int rc)
{
	bool reading = r->op == OP_READ || op_lists(r->op);

	if (rc != ERR_OK) {
		finish_error(r, rc);
		return;
	}
	if (r->reply == NULL && !reading) {
		r->reply_kind = IPC_K_EMPTY;
		if (r->status == 0)
			r->status = 204;
		return;
	}
	if (r->reply == NULL || list_is_empty(r)) {
		reply_errors(r, 404, NULL, NULL);
		return;
	}
	if (r->reply_kind == IPC_K_ENVELOPE && r->mount != NULL &&
	    value_get(r->reply, "mount_type") == NULL &&
	    value_get(r->reply, "wrap_info") == NULL)
		value_set_str(r->a, r->reply, "mount_type", r->mount->type);
	if (r->status == 0)
		r->status = 200;
}

struct value *dispatch_reply(struct req *r)
{
	struct value *array = value_array(r->a);

	value_add(array, value_int(r->a, r->status));
	value_add(array, value_int(r->a, r->reply_kind));
	value_add(array,
	          value_str(r->a, r->reply_id != NULL ? r->reply_id : r->request_id));
	value_add(array, r->reply != NULL ? r->reply : value_null(r->a));
	value_add(array, value_int(r->a, r->retry_after));
	return array != NULL && array->len == IPC_RP__COUNT ? array : NULL;
}
