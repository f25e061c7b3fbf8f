/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_destroy - what a mount that is gone leaves behind, and its removal.
 *
 * Job body: {mount (id), path, type, phase, place}.  First the tokens that an auth method
 * issued are revoked (they are dead already: see token_alive()), with all their children;
 * then the engine destroys its rows.
 */
#include "mount_destroy.h"

#include <string.h>

#include "approle.h"
#include "arena.h"
#include "auth_token.h"
#include "cert_role.h"
#include "db_lease.h"
#include "jobs.h"
#include "kv_walk.h"
#include "mount_impl.h"

#define JOB      "unmount"
#define AT_ONCE  16
#define LATER_MS (3600ll * 1000)

struct some {
	struct store_object at[AT_ONCE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct some *s = ctx;

	(void)e;
	s->at[s->n++] = *o;
	return ERR_OK;
}

/* Delete rows of a kind below one parent, until ${*rows} is used up. */
static int delete_rows(struct core *c, struct arena *a, enum store_kind kind,
                       const void *parent, size_t n, int *rows, struct err *e)
{
	struct some s = { .n = 0 };
	int rc = ERR_OK;

	while (rc == ERR_OK && *rows > 0) {
		s.n = 0;
		rc = store_by_parent_page(c, a, kind, parent, n, NULL, 0,
		                          *rows < AT_ONCE ? *rows : AT_ONCE, collect, &s,
		                          e);
		for (size_t i = 0; rc == ERR_OK && i < s.n; i++)
			rc = store_delete(c, &s.at[i], e);
		*rows -= (int)s.n;
		if (s.n == 0)
			break;
	}
	return rc;
}

/* Roles go one by one, each after its secret ids. */
static int destroy_roles(struct core *c, struct arena *a, struct mount_gone *g,
                         struct err *e)
{
	unsigned char family[APPROLE_FAMILY];
	struct some s;
	bool done;
	int rc = ERR_OK;

	while (rc == ERR_OK && g->rows > 0) {
		s.n = 0;
		rc = store_by_parent_page(c, a, KIND_APPROLE, g->id, MOUNT_ID, NULL, 0, 1,
		                          collect, &s, e);
		if (rc != ERR_OK || s.n == 0)
			break;
		if ((rc = approle_family(&s.at[0], family, e)) != ERR_OK)
			break;
		rc = approle_secrets_drop(c, family, AT_ONCE, &done, e);
		g->rows -= AT_ONCE;
		if (rc == ERR_OK && done)
			rc = store_delete(c, &s.at[0], e);
	}
	return rc;
}

/* The rows of a login method hang on the id of its mount (storage/store.h). */
static int destroy_login(struct core *c, struct arena *a, struct mount_gone *g,
                         bool *done, struct err *e)
{
	static const enum store_kind kinds[] = { KIND_USER, KIND_LOCKOUT };
	int rc = destroy_roles(c, a, g, e);

	for (size_t i = 0; rc == ERR_OK && i < ARRAY_LEN(kinds); i++)
		rc = delete_rows(c, a, kinds[i], g->id, MOUNT_ID, &g->rows, e);
	if (rc == ERR_OK && g->rows > 0)
		rc = cert_destroy(c, a, g->id, &g->rows, e);
	*done = rc == ERR_OK && g->rows > 0;
	return rc;
}

static int destroy_kv(struct core *c, struct arena *a, struct mount_gone *g, bool *done,
                      struct err *e)
{
	int rc = kv_destroy_slice(c, a, g->id, &g->place, &g->rows, e);

	if (rc != ERR_OK || g->place != NULL)
		return rc;
	*done = true;
	return kv_config_forget(c, a, g->id, e);
}

#define LOOK_MS 1000 /* while databases are waited for */

/* The accounts that it made go first: how they are reached is still needed. */
static int destroy_database(struct core *c, struct arena *a, struct mount_gone *g,
                            bool *done, struct err *e)
{
	static const enum store_kind kinds[] = { KIND_DB_ROLE, KIND_TARGET };
	bool left;
	int rc = db_lease_mount_gone(c, a, g->id, g->rows, &left, e);

	if (rc != ERR_OK || left) {
		g->later_ms = LOOK_MS;
		return rc;
	}
	for (size_t i = 0; rc == ERR_OK && i < ARRAY_LEN(kinds); i++)
		rc = delete_rows(c, a, kinds[i], g->id, MOUNT_ID, &g->rows, e);
	return rc == ERR_OK && g->rows > 0 ? destroy_kv(c, a, g, done, e) : rc;
}

static const struct {
	const char *type;
	mount_destroy_fn fn;
} engines[] = {
	{"kv",        destroy_kv      },
	{ "approle",  destroy_login   },
	{ "userpass", destroy_login   },
	{ "cert",     destroy_login   },
	{ "database", destroy_database},
};

static mount_destroy_fn engine_of(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(engines); i++)
		if (strcmp(engines[i].type, type) == 0)
			return engines[i].fn;
	return NULL;
}

/* The body outlives what it is made from. */
static void set_copy(struct arena *a, struct value *b, const char *key, const void *p,
                     size_t n)
{
	void *copy = arena_dup(a, p, n);

	if (copy != NULL)
		value_set_bytes(a, b, key, copy, n);
}

static struct value *job_body(struct arena *a, const struct mount_gone *g,
                              const char *phase)
{
	struct value *b = value_object(a);

	set_copy(a, b, "mount", g->id, MOUNT_ID);
	value_set_str(a, b, "path", arena_str(a, g->path));
	value_set_str(a, b, "type", arena_str(a, g->type));
	value_set_str(a, b, "phase", phase);
	value_set_str(a, b, "place", g->place);
	return b;
}

static int tokens_slice(struct core *c, struct arena *a, struct store_object *job,
                        struct mount_gone *g, struct err *e)
{
	const struct value *after = value_get(job->body, "after");
	struct token_sweep s = { .started = after != NULL };
	int rc;

	if (after != NULL && (after->type != V_BYTES || after->len != sizeof(s.after)))
		return err_set(e, ERR_INTEGRITY, "a job's record is malformed");
	if (after != NULL)
		memcpy(s.after, after->text, sizeof(s.after));
	if ((rc = token_revoke_mount(c, a, g->id, &s, e)) != ERR_OK)
		return rc;
	job->body = job_body(a, g, s.done ? "rows" : "tokens");
	if (!s.done)
		set_copy(a, job->body, "after", s.after, sizeof(s.after));
	return ERR_OK;
}

static int rows_slice(struct core *c, struct arena *a, struct store_object *job,
                      struct mount_gone *g, bool *done, struct err *e)
{
	mount_destroy_fn fn = engine_of(g->type);
	int rc;

	if (fn == NULL) { /* written by a newer release: kept for it */
		job->due = c->now_ms + LATER_MS;
		return ERR_OK;
	}
	if ((rc = fn(c, a, g, done, e)) == ERR_OK && !*done)
		job->body = job_body(a, g, "rows");
	if (g->later_ms != 0)
		job->due = c->now_ms + g->later_ms;
	return rc;
}

int mount_destroy_slice(struct core *c, struct arena *a, struct store_object *job,
                        bool *done, struct err *e)
{
	const struct value *id = value_get(job->body, "mount");
	struct mount_gone g = {
		.path = value_cstr_or(a, job->body, "path", ""),
		.type = value_cstr_or(a, job->body, "type", ""),
		.place = value_cstr_or(a, job->body, "place", ""),
		.rows = KV_SLICE_ROWS,
	};
	int rc;

	if (id == NULL || id->type != V_BYTES || id->len != MOUNT_ID)
		return err_set(e, ERR_INTEGRITY, "a job's record is malformed");
	memcpy(g.id, id->text, MOUNT_ID);
	if (value_is_str(value_get(job->body, "phase"), "tokens"))
		rc = tokens_slice(c, a, job, &g, e);
	else
		rc = rows_slice(c, a, job, &g, done, e);
	if (rc == ERR_OK && value_get(job->body, "job") == NULL)
		value_set_str(a, job->body, "job", JOB);
	return rc;
}

int mount_unmount(struct core *c, struct arena *a, const struct mount *m, struct err *e)
{
	struct mount_gone g = { .path = m->path, .type = m->type, .place = "" };
	unsigned char job[16];
	int rc;

	memcpy(g.id, m->id, MOUNT_ID);
	if (strcmp(m->type, "database") == 0 &&
	    (rc = database_unmounting(c, a, m, e)) != ERR_OK)
		return rc;
	rc = job_start(c, a, JOB, job_body(a, &g, mount_is_auth(m) ? "tokens" : "rows"),
	               job, e);
	return rc == ERR_OK ? mounts_remove(c, a, m, e) : rc;
}
