/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_rotation_report - how old every secret is.
 *
 * All rows of secrets are looked at, in slices; of those that the caller may read or list
 * the oldest are kept.  Values of KV version 1 have no rules, but an age; of databases
 * those that are rotated are there, too.
 */
#include <stdlib.h>
#include <string.h>

#include "api_rotation.h"
#include "arena.h"
#include "database.h"
#include "entry.h"
#include "policy.h"

#define SCRATCH   ((size_t)16 * 1024 * 1024)
#define SLICE     64
#define LIMIT_DEF 1000
#define LIMIT_MAX 10000

struct aged {
	const char *path, *strategy, *problem;
	int64_t version, written_ms;
	bool ruled, scheduled, overdue;
	int64_t rotated_ms, next_ms, due_ms, max_age_ms;
};

struct report {
	int64_t over_ms, limit;
	const char *prefix;
	enum store_kind kind;
	unsigned char after[STORE_ID_MAX];
	size_t after_len;
	struct store_object at[SLICE];
	size_t n;
	int64_t seen, matched;
	/* The oldest, a heap with the youngest of them on top. */
	struct aged *heap;
	size_t kept;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct report *p = ctx;

	(void)e;
	p->at[p->n++] = *o;
	return ERR_OK;
}

/* ---- the oldest ---- */

static bool younger(const struct aged *x, const struct aged *y)
{
	return x->written_ms != y->written_ms ? x->written_ms > y->written_ms
	                                      : strcmp(x->path, y->path) > 0;
}

static void swap(struct aged *x, struct aged *y)
{
	struct aged t = *x;

	*x = *y;
	*y = t;
}

static void sift_up(struct aged *h, size_t i)
{
	for (; i > 0 && younger(&h[i], &h[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&h[i], &h[(i - 1) / 2]);
}

static void sift_down(struct aged *h, size_t n)
{
	size_t i = 0, k;

	while ((k = 2 * i + 1) < n) {
		if (k + 1 < n && younger(&h[k + 1], &h[k]))
			k++;
		if (!younger(&h[k], &h[i]))
			return;
		swap(&h[i], &h[k]);
		i = k;
	}
}

/* Only what stays is copied to the request's own memory. */
static int keep(struct req *r, struct report *p, struct aged *one)
{
	p->matched++;
	if (p->kept == (size_t)p->limit && !younger(&p->heap[0], one))
		return ERR_OK;
	one->path = arena_str(r->a, one->path);
	one->problem = one->problem[0] != '\0' ? arena_str(r->a, one->problem) : "";
	if (one->path == NULL || one->problem == NULL)
		return req_fail(r, ERR_NOMEM,
		                "the report needs more memory than a request may have");
	if (p->kept < (size_t)p->limit) {
		p->heap[p->kept] = *one;
		sift_up(p->heap, p->kept++);
	} else {
		p->heap[0] = *one;
		sift_down(p->heap, p->kept);
	}
	return ERR_OK;
}

/* ---- one secret ---- */

static bool may(struct req *r, const char *path, unsigned any_of)
{
	return path != NULL &&
	       (policies_capabilities(r->core, r->id.policies, path, false) & any_of) !=
	               0;
}

/* Of a database: a static role's credential, and an administrator's that was rotated. */
static bool is_of_database(const char *rest, const char **name, bool *root)
{
	*root = strncmp(rest, DB_ROOT, strlen(DB_ROOT)) == 0;
	*name = strchr(rest, '/');
	*name = *name != NULL ? *name + 1 : "";
	return *root || strncmp(rest, DB_STATIC, strlen(DB_STATIC)) == 0;
}

/* Whoever may read it, or the role or connection that it is of, may know how old it is.
 */
static bool may_see_of_database(struct req *r, struct arena *a, const struct mount *m,
                                const char *rest)
{
	const char *name;
	bool root;

	if (!is_of_database(rest, &name, &root))
		return false;
	if (r->id.root)
		return true;
	if (root)
		return may(r, arena_printf(a, "%sconfig/%s", m->path, name), CAP_READ);
	return may(r, arena_printf(a, "%s%s", m->path, rest), CAP_READ) ||
	       may(r, arena_printf(a, "%sstatic-roles/%s", m->path, name),
	           CAP_READ | CAP_LIST);
}

/* Whoever may read it, or see its name, may know how old it is. */
static bool may_see(struct req *r, struct arena *a, const struct mount *m,
                    const char *rest)
{
	const char *data = arena_printf(a, "%s%s%s", m->path,
	                                m->kv_version == 2 ? "data/" : "", rest);
	const char *meta = arena_printf(a, "%smetadata/%s", m->path, rest);

	if (strcmp(m->engine, "database") == 0)
		return may_see_of_database(r, a, m, rest);
	if (r->id.root)
		return true;
	return may(r, data, CAP_READ) ||
	       (m->kv_version == 2 && may(r, meta, CAP_READ | CAP_LIST));
}

static int64_t due_of(const struct rotation_rule *rule)
{
	int64_t due = rule->due_since, old;

	if (rule->schedule.max_age_ms > 0 && rule->rotated_ms > 0) {
		old = rule->rotated_ms + rule->schedule.max_age_ms;
		due = due == 0 || old < due ? old : due;
	}
	return due;
}

static int add_rule(struct req *r, struct arena *a, const struct store_object *o,
                    struct aged *one)
{
	struct rotation_rule rule;
	int rc = rotation_rule_load(r->core, a, o->id, &rule, &r->e);

	if (rc != ERR_OK)
		return rc;
	one->ruled = rule.configured;
	one->strategy = rotation_strategy_name(rule.strategy);
	one->problem = rule.problem;
	one->scheduled = rule.scheduled;
	one->rotated_ms = rule.rotated_ms;
	one->next_ms = rule.next_ms;
	one->max_age_ms = rule.schedule.max_age_ms;
	/* Before its first rotation the value is as old as its version. */
	if (rule.rotated_ms == 0)
		rule.rotated_ms = one->written_ms;
	one->due_ms = due_of(&rule);
	one->overdue = one->due_ms != 0 && one->due_ms <= r->core->now_ms;
	return ERR_OK;
}

static const struct mount *mount_of(struct req *r, const struct store_object *o)
{
	const struct value *m = value_get(o->body, "m");

	return m != NULL && m->len == MOUNT_ID
	               ? mounts_by_id(r->core, (const unsigned char *)m->text)
	               : NULL;
}

/* false: it has no value now, or is none of a KV engine. */
static bool read_age(struct req *r, const struct store_object *o, struct aged *one)
{
	struct kv_version v;

	if (o->kind == KIND_ENTRY) {
		one->version = 0;
		one->written_ms = value_int_or(o->body, "u", 0);
		return true;
	}
	one->version = value_int_or(o->body, "n", 0);
	if (!kv_meta_version(o->body, one->version, &v) ||
	    kv_version_gone(&v, r->core->now_ms))
		return false;
	one->written_ms = v.created_ms;
	return true;
}

static bool has_ages(const struct mount *m)
{
	return m->kv_version != 0 || strcmp(m->engine, "database") == 0;
}

static int look_at(struct req *r, struct arena *a, struct report *p,
                   const struct store_object *o)
{
	struct aged one = { .strategy = "", .problem = "" };
	const struct mount *m = mount_of(r, o); /* none: a cubbyhole, or unmounted */
	const char *rest = value_cstr_or(a, o->body, "p", "");
	size_t n = strlen(p->prefix);
	int rc;

	if (m == NULL || !has_ages(m) || !read_age(r, o, &one))
		return ERR_OK;
	one.path = arena_printf(a, "%s%s", m->path, rest);
	if (one.path == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (strncmp(one.path, p->prefix, n) != 0 || !may_see(r, a, m, rest))
		return ERR_OK;
	p->seen++;
	if (r->core->now_ms - one.written_ms < p->over_ms)
		return ERR_OK;
	if (o->kind == KIND_SECRET && (rc = add_rule(r, a, o, &one)) != ERR_OK)
		return rc;
	return keep(r, p, &one);
}

/* ---- the answer ---- */

static int oldest_first(const void *x, const void *y)
{
	return younger(x, y) ? 1 : younger(y, x) ? -1 : 0;
}

static struct value *shown(struct req *r, const struct aged *one)
{
	struct arena *a = r->a;
	struct value *v = value_object(a);

	value_set_str(a, v, "path", one->path);
	value_set_int(a, v, "version", one->version);
	value_set_int(a, v, "age", (r->core->now_ms - one->written_ms) / 1000);
	value_set(v, "written", rotation_time(a, one->written_ms));
	value_set_bool(a, v, "rule", one->ruled);
	value_set_str(a, v, "strategy", one->ruled ? one->strategy : "");
	value_set(v, "last_rotated", rotation_time(a, one->rotated_ms));
	value_set(v, "next", rotation_time(a, one->next_ms));
	value_set_int(a, v, "max_age", one->max_age_ms / 1000);
	value_set(v, "due", rotation_time(a, one->due_ms));
	value_set_bool(a, v, "overdue", one->overdue);
	value_set_str(a, v, "problem", one->problem);
	return v;
}

static int answer(struct req *r, struct report *p)
{
	struct value *list = value_array(r->a), *d = reply_data(r);

	qsort(p->heap, p->kept, sizeof(*p->heap), oldest_first);
	for (size_t i = 0; i < p->kept; i++)
		value_add(list, shown(r, &p->heap[i]));
	value_set(d, "secrets", list);
	value_set_int(r->a, d, "seen", p->seen);
	value_set_int(r->a, d, "matched", p->matched);
	value_set_bool(r->a, d, "more", p->matched > (int64_t)p->kept);
	return ERR_OK;
}

static struct report *begin(struct req *r)
{
	struct report *p = arena_alloc(r->a, sizeof(*p));
	bool present;

	if (p == NULL) {
		req_fail(r, ERR_NOMEM, "out of memory");
		return NULL;
	}
	memset(p, 0, sizeof(*p));
	p->limit = LIMIT_DEF;
	p->prefix = "";
	p->kind = KIND_SECRET;
	if (req_duration(r, "over", &p->over_ms, &present) != ERR_OK ||
	    req_str(r, "prefix", &p->prefix, &present) != ERR_OK ||
	    req_int(r, "limit", &p->limit, &present) != ERR_OK)
		return NULL;
	if (p->limit < 1 || p->limit > LIMIT_MAX) {
		req_fail(r, ERR_INVALID, "limit: between 1 and %d", LIMIT_MAX);
		return NULL;
	}
	p->heap = arena_alloc(r->a, (size_t)p->limit * sizeof(*p->heap));
	if (p->heap == NULL)
		req_fail(r, ERR_NOMEM, "out of memory");
	return p->heap != NULL ? p : NULL;
}

static int h_age(struct req *r)
{
	AUTO_ARENA scratch = arena_new(SCRATCH);
	struct report *p = r->park_state;
	int rc;

	if (p == NULL && (p = begin(r)) == NULL)
		return (int)r->e.code;
	r->park_state = p;
	if (scratch == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	p->n = 0;
	rc = store_each(r->core, scratch, p->kind, p->after_len > 0 ? p->after : NULL,
	                p->after_len, SLICE, collect, p, &r->e);
	for (size_t i = 0; rc == ERR_OK && i < p->n; i++)
		rc = look_at(r, scratch, p, &p->at[i]);
	if (rc != ERR_OK)
		return rc;
	if (p->n == SLICE) {
		p->after_len = p->at[SLICE - 1].id_len;
		memcpy(p->after, p->at[SLICE - 1].id, p->after_len);
		return rotation_park_again(r);
	}
	if (p->kind == KIND_ENTRY)
		return answer(r, p);
	p->kind = KIND_ENTRY;
	p->after_len = 0;
	return rotation_park_again(r);
}

static const struct field age_fields[] = {
	{"over",    "duration", "only values that are older"        },
	{ "prefix", "string",   "only paths that begin so"          },
	{ "limit",  "int",      "at most so many, the oldest (1000)"},
	{ NULL,     NULL,       NULL				},
};
static const struct route rows[] = {
	{"system", M_GET, "rotation/report/age", 0, age_fields, h_age, NULL,
         "how old the secrets are that you may see, oldest first"},
};

const struct route_table routes_rotation_report = { rows, ARRAY_LEN(rows) };
