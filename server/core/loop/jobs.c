/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs.h"

#include <stdlib.h>
#include <string.h>

#include "approle.h"
#include "arena.h"
#include "auth_token.h"
#include "binding.h"
#include "cubbyhole.h"
#include "db_lease.h"
#include "kek.h"
#include "kv_walk.h"
#include "lease.h"
#include "lockout.h"
#include "log.h"
#include "mount_destroy.h"
#include "mount_move.h"
#include "rng.h"
#include "rotation_restored.h"
#include "rotation_state.h"
#include "vault/limits.h"
#include "webhook.h"

#define EXPIRE_AT_ONCE  8 /* writes, half a ms: who asks meanwhile waits */
#define JOBS_AT_ONCE    4
#define JOBS_MS         2     /* of a batch; then the rest has its turn in the next one */
#define PUT_OFF_MS      10000 /* of a job that failed */
#define VERIFY_EVERY_MS (24ll * 3600 * 1000)
#define VERIFY_SLICE_MS 50   /* between two slices of the background check */
#define PAUSE_MS        2    /* between two runs that find the same time due */
#define RETRY_MS        1000 /* after a run that failed, at the earliest */
#define JOBS_STEPS      10

static const struct {
	const char *name;
	job_fn fn;
} kinds[] = {
	{"rotation-recheck", rotation_recheck_slice},
	{ "lease-fanout",    lease_fanout_slice    },
	{ "unmount",         mount_destroy_slice   },
	{ "rewrap",          kek_rewrap_slice      },
	{ "token-revoke",    token_revoke_slice    },
	{ "approle-purge",   approle_purge_slice   },
	{ "cubbyhole",       cubbyhole_slice       },
	{ "kv-upgrade",      kv_upgrade_slice      },
	{ "kv-erase",        kv_erase_slice        },
	{ "remount",         mount_move_slice      },
	{ "database-revoke", db_revoke_slice       },
	{ "binding-fanout",  binding_fanout_slice  },
};

static const enum store_kind timed[] = { KIND_TOKEN,     KIND_LEASE,    KIND_ROTATION,
	                                 KIND_ATTEMPT,   KIND_JOB,      KIND_LOCKOUT,
	                                 KIND_SECRET_ID, KIND_DB_LEASE, KIND_WEBHOOK };

struct jobs {
	bool dirty;
	int64_t next_ms;       /* cached answer of jobs_next_ms() */
	int64_t not_before_ms; /* a due row that could not be dealt with is not spun on */
	int64_t verify_ms;     /* next slice of the state MAC check */
	bool has_failed;       /* a job did, with all that its step had done */
	unsigned char failed[16];
};

int jobs_open(struct core *c, struct err *e)
{
	struct jobs *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	j->dirty = true;
	c->jobs = j;
	return ERR_OK;
}

void jobs_close(struct core *c)
{
	free(c->jobs);
	c->jobs = NULL;
}

void jobs_dirty(struct core *c)
{
	c->jobs->dirty = true;
}

void jobs_unsealed(struct core *c)
{
	c->jobs->verify_ms = c->now_ms;
	rotation_unsealed(c);
	c->jobs->dirty = true;
}

static int64_t earliest(struct core *c)
{
	int64_t next = c->jobs->verify_ms, key = kek_next_ms(c), zones;

	if (key != 0 && (next == 0 || key < next))
		next = key;
	zones = c->keys != NULL ? rotation_zones_due(c) : 0;
	if (zones != 0 && (next == 0 || zones < next))
		next = zones;
	for (size_t i = 0; i < ARRAY_LEN(timed); i++) {
		int64_t due = store_next_due(c, timed[i]);

		if (timed[i] == KIND_ROTATION && due != 0 && due < rotation_not_before(c))
			due = rotation_not_before(c);
		if (due != 0 && (next == 0 || due < next))
			next = due;
	}
	return next;
}

int64_t jobs_next_ms(struct core *c)
{
	struct jobs *j = c->jobs;
	int64_t next;

	if (!j->dirty)
		return j->next_ms;
	next = earliest(c);
	/* The clock was set back: that pause is over by any other. */
	if (j->not_before_ms > clock_wall(c->clock) + RETRY_MS)
		j->not_before_ms = 0;
	if (next != 0 && next < j->not_before_ms)
		next = j->not_before_ms;
	j->next_ms = next;
	j->dirty = false;
	return next;
}

int job_start(struct core *c, struct arena *a, const char *name, struct value *body,
              unsigned char id[16], struct err *e)
{
	struct store_object o = { .kind = KIND_JOB, .id_len = 16, .due = c->now_ms };

	rng_bytes(id, 16);
	memcpy(o.id, id, 16);
	value_set_str(a, body, "job", name);
	o.body = body;
	jobs_dirty(c);
	return store_put(c, &o, e);
}

struct one_job {
	struct arena *a;
	struct store_object o[JOBS_AT_ONCE];
	size_t n;
};

static int collect(void *ctx, struct store_object *o, struct err *e)
{
	struct one_job *j = ctx;

	(void)e;
	j->o[j->n] = *o;
	j->o[j->n].body = value_copy(j->a, o->body);
	return ++j->n < JOBS_AT_ONCE ? ERR_OK : ERR_NOENT;
}

static job_fn job_kind(struct arena *a, const struct store_object *o)
{
	const char *name = value_cstr_or(a, o->body, "job", "");

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].fn;
	return NULL;
}

static int run_job(struct core *c, struct arena *a, struct store_object *o, struct err *e)
{
	job_fn fn = job_kind(a, o);
	bool done = false;
	int rc;

	/* written by a newer release: kept, looked at again later */
	o->due = c->now_ms + (fn == NULL ? 3600 * 1000 : 1);
	if (fn != NULL && (rc = fn(c, a, o, &done, e)) != ERR_OK)
		return rc;
	if (!done)
		return store_put(c, o, e);
	core_wake(c, WAIT_JOB, o->id);
	return store_delete(c, o, e);
}

/* A job that fails takes its step back with it.  Before the step is tried again it is put
 * off, in a step of its own, so that it holds up no other. */
static int put_off(struct core *c, struct arena *a, struct err *e)
{
	struct store_object o;
	int rc;

	c->jobs->has_failed = false;
	rc = store_get(c, a, KIND_JOB, c->jobs->failed, sizeof(c->jobs->failed), &o, e);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	o.due = c->now_ms + PUT_OFF_MS;
	return store_put(c, &o, e);
}

static int run_due_jobs(struct core *c, struct arena *a, struct err *e)
{
	struct one_job due = { .a = a };
	int rc;

	if (c->jobs->has_failed)
		return put_off(c, a, e);
	rc = store_due(c, a, KIND_JOB, c->now_ms, JOBS_AT_ONCE, collect, &due, e);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	for (size_t i = 0; i < due.n; i++) {
		if ((rc = run_job(c, a, &due.o[i], e)) != ERR_OK) {
			memcpy(c->jobs->failed, due.o[i].id, sizeof(c->jobs->failed));
			c->jobs->has_failed = true;
			return rc;
		}
		if (clock_boot(c->clock) - c->boot_ms >= JOBS_MS)
			break;
	}
	return ERR_OK;
}

/* The state MAC is recomputed in the background after unseal and once a day. */
static int verify_slice(struct core *c, struct err *e)
{
	struct jobs *j = c->jobs;
	bool done = false;
	int rc;

	if (c->now_ms < j->verify_ms)
		return ERR_OK;
	rc = store_state_verify_slice(c, &done, e);
	j->verify_ms = c->now_ms +
	               (done || rc != ERR_OK ? VERIFY_EVERY_MS : VERIFY_SLICE_MS);
	if (rc == ERR_INTEGRITY) {
		log_error("the stored state was altered outside of vaultd",
		          LOG_S("cause", e->msg));
		return ERR_OK;
	}
	return rc;
}

int jobs_begin(struct core *c, int64_t *first)
{
	*first = earliest(c);
	c->jobs->dirty = true;
	c->jobs->not_before_ms = c->now_ms + RETRY_MS;
	return JOBS_STEPS;
}

int jobs_step(struct core *c, int step, struct err *e)
{
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA);

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	switch (step) {
	case 0:
		return token_expire_due(c, a, EXPIRE_AT_ONCE, e);
	case 1:
		return lease_expire_due(c, a, EXPIRE_AT_ONCE, e);
	case 2:
		return rotation_due(c, a, EXPIRE_AT_ONCE, e);
	case 3:
		return run_due_jobs(c, a, e);
	case 4:
		return lockout_expire_due(c, a, EXPIRE_AT_ONCE, e);
	case 6:
		return approle_expire_due(c, a, EXPIRE_AT_ONCE, e);
	case 7:
		return db_lease_due(c, a, EXPIRE_AT_ONCE, e);
	case 5:
		return kek_due(c, a, e);
	case 8:
		return webhooks_due(c, a, EXPIRE_AT_ONCE, e);
	default:
		return verify_slice(c, e);
	}
}

void jobs_end(struct core *c, int64_t first)
{
	/* What is still due although it had its turn is not spun on. */
	c->jobs->not_before_ms = earliest(c) == first ? c->now_ms + PAUSE_MS : 0;
}
