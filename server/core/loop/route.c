/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include <string.h>

#include "mounts.h"

static const struct route_table *const tables[] = {
	&routes_capability,
	&routes_wrap,
	&routes_kv,
	&routes_entry,
	&routes_agent,
	&routes_host,
	&routes_binding,
	&routes_swarm,
	&routes_token,
	&routes_token_role,
	&routes_sys,
	&routes_policy,
	&routes_password_policy,
	&routes_mount,
	&routes_lease,
	&routes_sys_lease,
	&routes_stuck_lease,
	&routes_rotation,
	&routes_rotator,
	&routes_rotation_rule,
	&routes_target,
	&routes_database,
	&routes_webhook,
	&routes_rotation_report,
	&routes_leak,
	&routes_audit,
	&routes_backup,
	&routes_userpass,
	&routes_approle,
	&routes_cert,
	&routes_crl,
	&routes_lockout,
	/* seal and server */
	&routes_kek,
	&routes_devices,
	&routes_tools,
	&routes_version_history,
	&routes_openapi,
	&routes_metrics,
	&routes_rekey,
	&routes_root,
};

void route_each(void (*fn)(void *ctx, const struct route *row), void *ctx)
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (size_t i = 0; i < tables[t]->n; i++)
			fn(ctx, &tables[t]->rows[i]);
}

static unsigned method_bit(enum http_method m)
{
	switch (m) {
	case HTTP_GET:
		return M_GET;
	case HTTP_LIST:
		return M_LIST;
	case HTTP_POST:
		return M_POST;
	case HTTP_PATCH:
		return M_PATCH;
	case HTTP_DELETE:
		return M_DELETE;
	case HTTP_SCAN:
		return M_SCAN;
	default:
		return 0;
	}
}

/* The parameters of a match, not yet copied. */
struct match {
	const char *at[REQ_PARAMS];
	size_t len[REQ_PARAMS];
	bool folds[REQ_PARAMS]; /* a name in which case makes no difference */
	size_t n;
};

/* ":name" and ":role" are names by path_name(); other parameters are taken as they are.
 */
static bool is_name(const char *param, size_t n)
{
	return n == 5 &&
	       (memcmp(param, ":name", 5) == 0 || memcmp(param, ":role", 5) == 0);
}

/* "*rest" before ${tail}, which is "" or one literal segment such as "/tune". */
static bool takes_rest(const char *tail, const char *path, size_t n, struct match *m)
{
	size_t t = strlen(tail);

	if (n < t || memcmp(path + n - t, tail, t) != 0)
		return false;
	m->at[m->n] = path;
	m->folds[m->n] = false;
	m->len[m->n++] = n - t;
	return true;
}

/* One pattern against ${n} bytes of path; a segment each turn. */
static bool matches(const char *pattern, const char *path, size_t n, struct match *m)
{
	const char *end = path + n;

	m->n = 0;
	for (;;) {
		size_t seg = strcspn(pattern, "/");
		const char *slash = memchr(path, '/', (size_t)(end - path));
		size_t len = slash != NULL ? (size_t)(slash - path)
		                           : (size_t)(end - path);

		if (pattern[0] == '*')
			return takes_rest(pattern + seg, path, (size_t)(end - path), m);
		if (pattern[0] == ':') {
			if (len == 0)
				return false;
			m->at[m->n] = path;
			m->folds[m->n] = is_name(pattern, seg);
			m->len[m->n++] = len;
		} else if (len != seg || memcmp(pattern, path, seg) != 0) {
			return false;
		}
		if (pattern[seg] == '\0')
			return slash == NULL;
		pattern += seg + 1;
		if (slash == NULL)
			path = end;
		else
			path = slash + 1;
		/* a pattern "a" + "*rest" also matches "a" and "a/": the rest is empty
		 * then */
		if (slash == NULL && pattern[0] != '*')
			return false;
	}
}

/* What is authorised and recorded is the one spelling that the name stands for: a rule
 * for "roles/admin" holds for "roles/ADMIN".  In place, as the path outlives this run;
 * the parameters stay as they came. */
static void fold_names(const struct match *m)
{
	for (size_t i = 0; i < m->n; i++) {
		char *name = (char *)(uintptr_t)m->at[i];

		for (size_t k = 0; m->folds[i] && k < m->len[i]; k++)
			if (name[k] >= 'A' && name[k] <= 'Z')
				name[k] = (char)(name[k] | 0x20);
	}
}

static int take(struct req *r, const struct route *row, const struct match *m)
{
	r->route = row;
	for (size_t i = 0; i < m->n; i++) {
		r->param[i].text = arena_dup(r->a, m->at[i], m->len[i]);
		r->param[i].len = m->len[i];
		if (r->param[i].text == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
	}
	fold_names(m);
	return ERR_OK;
}

/* The path of ${r} below its mount, without a slash at its end. */
static const char *path_below(const struct req *r, size_t *n)
{
	const char *rest = r->path + strlen(r->mount->path);

	if (r->path_len <= strlen(r->mount->path)) {
		*n = 0;
		return "";
	}
	*n = strlen(rest);
	if (*n > 0 && rest[*n - 1] == '/')
		(*n)--;
	return rest;
}

bool route_serves(const struct req *r, const struct route *row)
{
	struct match m;
	size_t n;
	const char *rest = path_below(r, &n);

	return strcmp(row->mount_type, r->mount->engine) == 0 &&
	       matches(row->pattern, rest, n, &m);
}

int route_find(struct req *r)
{
	const char *rest;
	struct match m;
	bool path_known = false;
	size_t n;

	r->mount = mounts_match(r->core, r->path, &rest);
	if (r->mount == NULL)
		return req_fail(r, ERR_NOENT,
		                "no handler for route \"%.180s\". route entry not found.",
		                r->path);
	n = strlen(rest);
	if (n > 0 && rest[n - 1] == '/')
		n--;
	for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
		for (size_t i = 0; i < tables[t]->n; i++) {
			const struct route *row = &tables[t]->rows[i];

			if (strcmp(row->mount_type, r->mount->engine) != 0 ||
			    !matches(row->pattern, rest, n, &m))
				continue;
			path_known = true;
			if (row->methods & method_bit(r->method))
				return take(r, row, &m);
		}
	}
	if (path_known)
		return req_fail(r, ERR_METHOD,
		                "1 error occurred:\n\t* unsupported operation\n\n");
	return req_fail(r, ERR_NOENT, "1 error occurred:\n\t* unsupported path\n\n");
}
